"""What an order says in words that must not be, such as a use at home; and what is said with every order."""

from __future__ import annotations

import re

from fhir_plugin.drafts.draft_orders import Draft
from fhir_plugin.order_checks.case import DraftCase
from fhir_plugin.order_checks.result import CheckVerdict, OrderCheck, result_of
from mappings.schema.order_checks.model import CheckDefinition


def is_said(check: CheckDefinition, draft: Draft) -> bool:
    """Whether the words of the check are anywhere in the order, apart from what it excepts."""
    text = "\n".join((*draft.words, *draft.routes, *draft.instructions, *draft.notes)).lower()
    for pattern in check.excluded:
        text = re.sub(pattern, " ", text)
    return any(re.search(pattern, text) for pattern in check.holds)


def words(check: CheckDefinition, case: DraftCase) -> OrderCheck | None:
    """The result where the order says it; ``None`` where it does not."""
    if not is_said(check, case.draft):
        return None
    return result_of(check, CheckVerdict.DEVIATES, check.says, gross=check.gross, headline=check.headline)


def remark(check: CheckDefinition, _case: DraftCase) -> OrderCheck:
    """What is said with every order of the treatment."""
    return result_of(check, CheckVerdict.OK, check.says, remark=True)
