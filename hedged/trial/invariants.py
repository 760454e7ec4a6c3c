from hedged.trial.world import Judge
INVARIANTS: tuple[Judge, ...] = ()
