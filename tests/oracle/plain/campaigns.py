"""The oracle's campaigns (DOMAIN.md, Campaigns)."""


class Campaigns:
    def __init__(self, rules, world):
        self.rules = rules
        self.world = world

    def purchase(self, _book, _order, earn):
        earn()

    def other(self, book, trigger, fact):
        pass

    def undo(self, book, order):
        pass
