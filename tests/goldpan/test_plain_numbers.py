"""Options that take numbers take numbers only."""

from collections.abc import Iterator

import click
import pytest

from goldpan.cli.main import root, run_command

Path = tuple[str, ...]


def _numbers(
    command: click.Command, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(command, click.Group):
        with click.Context(command) as context:
            for name in command.list_commands(context):
                below = command.get_command(context, name)
                assert below is not None
                yield from _numbers(below, (*path, name))
        return
    for option in command.params:
        if isinstance(option.type, click.types.IntParamType | click.types.FloatParamType):
            hidden = isinstance(option, click.Option) and option.hidden
            if not hidden and isinstance(option, click.Option):
                yield path, option.opts[-1]


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1_0", "٣", "true", "0x1"])
def test_every_number_is_plain(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    """No option of any command takes NaN, infinity, a word or another tool's form of a number."""
    found = [*_numbers(root, ())]
    assert {("drift",), ("stream", "replay")} <= {path for path, _ in found}
    for path, option in found:
        assert run_command([*path, option, value]) == 2, (path, option)
        assert option in capsys.readouterr().err, (path, option)
