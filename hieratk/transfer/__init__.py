"""Two trees aligned, and the plan of moving a model from one to the other. No torch here.

    found = align(source, target, crosswalk=None)      # Alignments: relation, reason and evidence of every class
    how = hieratk.plan(source, target)                 # TransferPlan: rows keep / split / merge / new, what is dropped
    text = dump(how)                                   # a document to look at and to edit
    how = load("plan.yaml", source, target)            # read back and checked

The function itself is `hieratk.transfer.planning.plan`: here its name is that of the module of values.
"""

from hieratk.transfer.align import Alignments, align
from hieratk.transfer.document import dump, load
from hieratk.transfer.plan import PlanRow, PlanWarning, TransferPlan, TreeRef
from hieratk.transfer.planning import pixels_by_node
from hieratk.transfer.reading import read
from hieratk.transfer.relating import Alignment

__all__ = [
    "Alignment",
    "Alignments",
    "PlanRow",
    "PlanWarning",
    "TransferPlan",
    "TreeRef",
    "align",
    "dump",
    "load",
    "pixels_by_node",
    "read",
]
