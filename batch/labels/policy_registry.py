"""The registry of a lake's label policies: each version belongs to one policy, permanently.

Label events of a higher version outrank those of a lower one. A policy that changed under its old
version would mix labels that were decided differently. The first use of a version writes
`<lake>/policies/<version>.json`; any other policy under that version is refused.
"""

import json
from typing import Final

from labels.policy import LabelPolicy
from lake.objects import ObjectStore
from schemas.errors import FatalError, UsageError

POLICY_FOLDER: Final = "policies"
"""The folder of the lake that ``store`` gives access to."""


def register_policy(store: ObjectStore, policy: LabelPolicy) -> None:
    """Register a policy under its version; nothing changes if it is registered already.

    Raises:
        UsageError: the version belongs to another policy in this lake.
    """
    if not store.put_new(_path(policy), _document(policy)):
        _raise_conflict(store, policy)


def is_policy_registered(store: ObjectStore, policy: LabelPolicy) -> bool:
    """Return whether this policy is registered under its version."""
    return store.size(_path(policy)) is not None and store.get(_path(policy)) == _document(policy)


def require_unchanged_policy(store: ObjectStore, policy: LabelPolicy) -> None:
    """Raise UsageError as `register_policy` does, without writing anything."""
    if store.size(_path(policy)) is not None and store.get(_path(policy)) != _document(policy):
        _raise_conflict(store, policy)


def _raise_conflict(store: ObjectStore, policy: LabelPolicy) -> None:
    try:
        registered = json.loads(store.get(_path(policy)))
        name = f"{registered['name']} ({registered['hash']})"
    except (ValueError, KeyError, TypeError):
        raise FatalError(
            f"{POLICY_FOLDER}/{_path(policy)} in the lake is not a policy written by goldpan: "
            "restore or remove the file"
        ) from None
    raise UsageError(
        f"version {policy.version} of the label policy is {name} in this lake, not "
        f"{policy.name} ({policy.hash}): raise `version` in the policy, then run `goldpan labels "
        "rebuild`."
    )


def _path(policy: LabelPolicy) -> str:
    return f"{policy.version}.json"


def _document(policy: LabelPolicy) -> bytes:
    """Return the contents of the file, equal for policies that decide the same."""
    document = {
        "name": policy.name,
        "version": policy.version,
        "hash": policy.hash,
        "policy": policy.model_dump(mode="json", exclude={"description"}),
    }
    return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()
