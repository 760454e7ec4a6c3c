"""The look of the report: two colour schemes, a phone and a printer; nothing from anywhere else."""

STYLE = """
:root { color-scheme: light dark; --page: #fff; --ink: #1c2430; --soft: #5a6572; --rule: #dfe3e8; --fill: #f4f6f8;
  --c0: #0b62b8; --c1: #c2410c; --c2: #00785a; --c3: #a3277c; --c4: #8a6100; --c5: #4b5bd0; --c6: #0a7f93;
  --c7: #6b7280; --band: #0b62b822; }
@media (prefers-color-scheme: dark) { :root { --page: #12161c; --ink: #e6eaf0; --soft: #a3adba; --rule: #2b333e;
  --fill: #1a2029; --c0: #62aefc; --c1: #ff9361; --c2: #3fcfa0; --c3: #f48fd0; --c4: #e6bb4a; --c5: #a3aeff;
  --c6: #4fd0e4; --c7: #9aa4b2; --band: #62aefc2e; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 76rem; background: var(--page); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .25rem; } h2 { font-size: 1.25rem; margin: 2.5rem 0 .5rem; }
h3 { font-size: 1.05rem; margin: 0 0 .25rem; }
p { margin: .25rem 0 .75rem; } .soft { color: var(--soft); }
code { font: .85rem/1.5 ui-monospace, monospace; background: var(--fill); padding: .1rem .3rem; border-radius: 4px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; margin: .5rem 0; } dd { margin: 0; }
dt { color: var(--soft); }
ul { margin: .25rem 0; padding-left: 1.2rem; }
.wide { overflow-x: auto; border: 1px solid var(--rule); border-radius: 6px; margin: .5rem 0; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .875rem; }
caption { text-align: left; padding: .5rem .75rem; color: var(--soft); }
th, td { padding: .35rem .6rem; text-align: right; white-space: nowrap; border-top: 1px solid var(--rule); }
thead th { vertical-align: bottom; white-space: normal; overflow-wrap: normal; color: var(--soft); font-weight: 500; }
th:first-child, td:first-child { text-align: left; }
tbody th { font-weight: 600; vertical-align: top; }
tbody th small { display: block; font-weight: 400; white-space: normal; max-width: 11rem; color: var(--soft); }
figure { margin: 1.25rem 0 0; }
section > details { margin-top: .75rem; border: 1px solid var(--rule); border-radius: 6px; padding: 0 1rem; }
section > details[open] { padding-bottom: 1rem; }
section > details > summary { padding: .75rem 0; cursor: pointer; font-weight: 600; }
section > details > summary span { font-weight: 400; color: var(--soft); }
figure details { font-size: .875rem; color: var(--soft); } figure summary { cursor: pointer; }
.legend { display: flex; flex-wrap: wrap; gap: .1rem 1rem; font-size: .875rem; margin: .25rem 0 .5rem; }
.legend span { display: inline-flex; align-items: center; gap: .4rem; }
.key { width: 24px; height: 10px; overflow: visible; flex: none; }
.plot { position: relative; margin: 0 0 1.75rem 4.25rem; }
.plot > svg { display: block; width: 100%; height: clamp(12rem, 32vw, 20rem); background: var(--fill); }
.rows span, .columns span { position: absolute; font-size: .75rem; line-height: 1; color: var(--soft);
  white-space: nowrap; }
.rows span { right: 100%; padding-right: .4rem; transform: translateY(-50%); }
.columns { position: absolute; left: 0; right: 0; top: 100%; }
.columns span { top: .4rem; transform: translateX(-50%); }
.columns .first { transform: none; } .columns .last { transform: translateX(-100%); }
path { fill: none; stroke: currentColor; stroke-width: 1.5; vector-effect: non-scaling-stroke; stroke-linejoin: round; }
path.grid { stroke: var(--rule); stroke-width: 1; } path.zero { stroke: var(--soft); stroke-width: 1; }
path.band { fill: var(--band); stroke: none; }
path.c0 { stroke: var(--c0); } path.c1 { stroke: var(--c1); } path.c2 { stroke: var(--c2); }
path.c3 { stroke: var(--c3); } path.c4 { stroke: var(--c4); } path.c5 { stroke: var(--c5); }
path.c6 { stroke: var(--c6); } path.c7 { stroke: var(--c7); }
path.broken { stroke-dasharray: 7 4; } path.dotted { stroke-dasharray: 2 4; }
path.heavy { stroke-width: 2.5; }
path.dots { stroke-width: 5; stroke-linecap: round; } path.square { stroke-linecap: square; }
path.faint { stroke-opacity: .55; }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .5rem; }
  .columns span:nth-child(even) { display: none; } .plot { margin-left: 3.5rem; } body { padding: 1rem .75rem 3rem; }
  section > details { padding: 0 .6rem; } }
@media print { section > details { break-inside: avoid; } }
"""
