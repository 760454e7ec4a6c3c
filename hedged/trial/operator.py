class Operator:
    def __init__(self, world): self.world = world
    def begin(self): pass
