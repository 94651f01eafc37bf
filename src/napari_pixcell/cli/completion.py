"""``napari-pixcell completion``: scripts with which shells complete commands and options."""

from __future__ import annotations

from napari_pixcell.cli import options as cli

SHELLS = "bash", "zsh", "tcsh"


@cli.command(
    "completion",
    cli.argument("shell", choices=SHELLS, help="the shell you use"),
    cli.examples(
        "completion bash > ~/.local/share/bash-completion/completions/napari-pixcell",
        "completion zsh > ~/.zfunc/_napari-pixcell",
        "completion tcsh > ~/.napari-pixcell.tcsh",
    ),
)
def completion(options: cli.Options) -> cli.Result:
    """Print a script for a shell that completes commands, options and files."""
    import shtab

    from napari_pixcell.cli.program import parser

    script = shtab.complete(parser(), options.shell)
    if options.json:
        return {"script": script}
    print(script)
    return {}
