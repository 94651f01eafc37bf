"""The helper that runs pages fails where a page is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from blocks import blocks_of, run_page

PAGE = """# A page

```python
number = 6
```

Text.

```python
print(7 * number)
print("seed", 1234)
```

```text
42
seed …
```

1. A step

   ```sh
   echo first > file.txt
   cat file.txt
   ```

<!-- not run: it takes an hour -->
```sh
exit 1
```

```json
{"not": "code"}
```
"""


def page(folder: Path, text: str = PAGE) -> Path:
    path = folder / "page.md"
    path.write_text(text, "utf-8")
    return path


def test_blocks_run_in_order_and_share_names_and_the_folder(tmp_path: Path) -> None:
    assert run_page(page(tmp_path), tmp_path) == ["", "42\nseed 1234\n", "first\n"]
    assert (tmp_path / "file.txt").exists()


def test_text_and_what_is_not_to_be_run_are_left_out(tmp_path: Path) -> None:
    assert [block.language for block in blocks_of(page(tmp_path))] == ["python", "python", "sh"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("```sh\ntrue\nfalse\n```\n", "page.md, line 2: exit code 1"),
        ("```python\nprint(1)\n```\n```text\n2\n```\n", "the page shows\n2"),
        ("```python\nprint(1)\nprint(2)\n```\n```text\n1\n```\n", "the page shows\n1"),
        ("no block\n", "page.md has no block"),
    ],
)
def test_a_wrong_page_fails_and_names_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        run_page(page(tmp_path, text), tmp_path)


def test_an_error_of_python_names_the_line_of_the_page(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError) as error:
        run_page(page(tmp_path, "\n\n```python\n\n1 / 0\n```\n"), tmp_path)
    last = error.traceback[-1]
    assert (Path(last.path).name, last.lineno + 1) == ("page.md", 5)


def test_a_page_may_take_names_as_given(tmp_path: Path) -> None:
    text = "```python\nprint(slide)\n```\n"
    assert run_page(page(tmp_path, text), tmp_path, {"slide": "a.svs"}) == ["a.svs\n"]


@pytest.mark.parametrize("apart", [False, True])
def test_commands_of_the_program_have_the_folder_output_and_code_of_their_shell(
    tmp_path: Path, apart: bool
) -> None:
    (tmp_path / "below").mkdir()
    text = "```sh\ncd below\nnapari-pixcell info none.svs 2> said || echo $?\n```\n"
    assert run_page(page(tmp_path, text), tmp_path, apart=apart) == ["1\n"]
    assert "none.svs" in (tmp_path / "below" / "said").read_text("utf-8")
    lines = run_page(
        page(tmp_path, "```sh\nnapari-pixcell models list | tail -1\n```\n"), tmp_path, apart=apart
    )
    assert lines[0].count("\n") == 1
