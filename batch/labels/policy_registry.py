"""The policy versions that a lake has seen: each number stands for one policy, and for ever.

Label events of a higher version outrank those of a lower one, so a policy that was changed under
its old number would leave labels side by side that were decided otherwise. The first to use a
version writes `<lake>/policies/<version>.json`; whoever comes with another policy is refused.
"""

import json
from typing import Final

from labels.policy import LabelPolicy
from lake.objects import ObjectStore
from schemas.errors import FatalError, UsageError

POLICY_FOLDER: Final = "policies"
"""The folder of the lake that ``store`` stands for in these functions."""


def register_policy(store: ObjectStore, policy: LabelPolicy) -> None:
    """Let a version stand for this policy from now on; nothing changes if it does already.

    Raises:
        UsageError: the version stands for another policy in this lake.
    """
    if not store.put_new(_path(policy), _document(policy)):
        _refuse(store, policy)


def is_policy_registered(store: ObjectStore, policy: LabelPolicy) -> bool:
    """Tell whether the version of a policy stands for this policy in the lake."""
    return store.size(_path(policy)) is not None and store.get(_path(policy)) == _document(policy)


def require_unchanged_policy(store: ObjectStore, policy: LabelPolicy) -> None:
    """Raise UsageError as `register_policy` does, and write nothing."""
    if store.size(_path(policy)) is not None and store.get(_path(policy)) != _document(policy):
        _refuse(store, policy)


def _refuse(store: ObjectStore, policy: LabelPolicy) -> None:
    try:
        there = json.loads(store.get(_path(policy)))
        known = f"{there['name']} ({there['hash']})"
    except (ValueError, KeyError, TypeError):
        raise FatalError(
            f"{POLICY_FOLDER}/{_path(policy)} in the lake cannot be read: it was not written by goldpan"
        ) from None
    raise UsageError(
        f"version {policy.version} of the label policy is {known} in this lake, and not "
        f"{policy.name} ({policy.hash}): raise `version` in the policy, then run `goldpan labels "
        "rebuild`."
    )


def _path(policy: LabelPolicy) -> str:
    return f"{policy.version}.json"


def _document(policy: LabelPolicy) -> bytes:
    """Return what the file holds; equal for policies that decide the same."""
    document = {
        "name": policy.name,
        "version": policy.version,
        "hash": policy.hash,
        "policy": policy.model_dump(mode="json", exclude={"description"}),
    }
    return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()
