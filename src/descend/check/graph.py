"""The operations of a step, as the rules see them."""

from descend.record.graph import VIEWS, Operation, StepGraph, operation_from

__all__ = ["VIEWS", "Operation", "StepGraph", "operation_from"]
