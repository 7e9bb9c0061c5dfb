"""Nothing outside the allowed places is ever touched: properties over trees of files with links, and over keys."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from processors.maintenance.places import Place, is_below
from queue_lib.errors import PermanentError
from storage.objects.local import LocalStore
from storage.objects.location import LocalLocation
from tests.support.maintenance_fakes import NOW, MemoryStore, aged, clean, cleanup_of

OLD = time.time() - 86_400
NAMES = ("a", "b.csv", "ä", "日本", ".hidden", "a b", "tmp", "keep", "..x", "x\\y", "x\ny", "-rf", "*", ".incoming-1")
# Where a link leads, from the directory of the whole test.
TARGETS = (
    "outside",
    "outside/secret",
    "root",
    "root/tmp",
    "root/keep",
    "root/keep/a",
    "root/tmp/a",
    "nowhere",
    "/",
    "self",
)
PATHS = (
    "tmp",
    "tmp/a",
    "tmp/ä",
    "tmp/..",
    "tmp/../keep",
    "keep",
    "",
    ".",
    "/",
    "root",
    "tmp/a/../../keep",
    "tmp/tmp",
    "*",
)
PATTERNS = (None, "*", "*.csv", "?", "*/*", "[!x]*", "..", "**", "../*", "*/../*", "keep", "日*", ".*")

names = st.sampled_from(NAMES)
places = st.lists(names, min_size=1, max_size=4)
entries = st.tuples(places, st.sampled_from(["file", "new", "folder", "link", "hard link"]), st.sampled_from(TARGETS))


class World:
    """A directory with `root/tmp`, which may be cleaned, `root/keep` beside it, and `outside`."""

    def __init__(self, top: Path) -> None:
        self.top = top
        for name in ("root/tmp", "root/keep", "outside"):
            (top / name).mkdir(parents=True)
        for name in ("root/keep/a", "root/keep/b.csv", "root/file", "outside/secret", "outside/b.csv", "outside/a"):
            self.file(top / name)
        for name, target in (
            ("to-file", "outside/secret"),
            ("to-folder", "outside"),
            ("loop", "root/tmp"),
            ("up", "root"),
        ):
            (top / "root/tmp" / name).symlink_to(top / target)

    def file(self, path: Path, when: float = OLD) -> None:
        """A file of that age."""
        path.write_text(path.name)
        os.utime(path, (when, when))

    def add(self, where: list[str], kind: str, target: str) -> None:
        """An entry below `root/tmp`, if there is room for it."""
        path = self.top / "root/tmp" / Path(*where)
        inside = self.top / "root" / "tmp"
        leads = "/" if target == "/" else str(path if target == "self" else self.top / target)
        with suppress(OSError):  # there is another thing at this path
            if not Path(os.path.realpath(path.parent)).is_relative_to(inside):
                return  # a link leads away: this would change what is outside
            path.parent.mkdir(parents=True, exist_ok=True)
            match kind:
                case "file" | "new":
                    if not path.exists() and not path.is_symlink():
                        self.file(path, OLD if kind == "file" else time.time())
                case "folder":
                    path.mkdir()
                case "link":
                    path.symlink_to(leads)
                case "hard link":
                    os.link(self.top / "outside/secret", path)

    def seen(self, *parts: str) -> dict[str, str]:
        """All that is there, without following a link."""
        found = {}
        for part in parts:
            for folder, folders, files in os.walk(self.top / part):
                for name in (*folders, *files):
                    path = Path(folder, name)
                    is_file = path.is_file() and not path.is_symlink()
                    found[str(path)] = path.read_text() if is_file else "link" if path.is_symlink() else "folder"
        return found


OUTSIDE = ("root/keep", "outside")


@given(
    tree_of=st.lists(entries, max_size=12),
    path=st.sampled_from(PATHS) | st.none() | places.map(lambda parts: "/".join(["tmp", *parts])),
    pattern=st.sampled_from(PATTERNS),
)
async def test_nothing_outside_the_directory_is_touched(
    tree_of: list[Any], path: str | None, pattern: str | None
) -> None:
    """Whatever is in it, and whatever a payload asks for: only old files go, and no link, no folder, no new file."""
    with tempfile.TemporaryDirectory() as top:
        world = World(Path(top))
        for where, kind, target in tree_of:
            world.add(where, kind, target)
        before, inside = world.seen(*OUTSIDE), world.seen("root/tmp")
        young = {name for name in inside if os.lstat(name).st_mtime > OLD + 3600}
        cleanup = cleanup_of({"tmp": LocalStore(LocalLocation(world.top / "root"))}, now=time.time())

        with suppress(PermanentError, ValidationError):
            result = await clean(cleanup, path, pattern=pattern)
            assert result.deleted == result.matched == len(inside) - len(world.seen("root/tmp"))
            assert all(key.startswith("tmp/") for key in result.samples)

        left = world.seen("root/tmp")
        assert world.seen(*OUTSIDE) == before
        assert (world.top / "root/file").exists()
        assert left.items() <= inside.items()
        gone = inside.keys() - left.keys()
        assert all(inside[name] not in {"link", "folder"} for name in gone)
        assert not gone & young
        if path in {None, "tmp"} and pattern is None:
            assert not [name for name in left.keys() - young if is_file_of_a_key(world, name, left[name])]


def is_file_of_a_key(world: World, name: str, what: str) -> bool:
    """Whether it is a file that could have been named."""
    key = os.path.relpath(name, world.top / "root")
    return what not in {"link", "folder"} and is_below(key, "tmp") and not Path(name).name.startswith(".incoming-")


def swap(folder: Path, away: Path, target: Path) -> None:
    """In the place of a folder there is a link."""
    folder.rename(away)
    folder.symlink_to(target)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A folder `root/tmp/d` with files whose names are also outside."""
    world = World(tmp_path)
    (tmp_path / "root/tmp/d").mkdir()
    for name in ("secret", "a", "b.csv"):
        world.file(tmp_path / "root/tmp/d" / name)
    return world


async def test_a_folder_that_becomes_a_link_after_it_was_listed(world: World) -> None:
    """Its files are outside now, and stay; also if they look as those that were listed."""
    store = LocalStore(LocalLocation(world.top / "root"))
    found = [each async for page in store.list("tmp") for each in page]
    assert len(found) == 3
    swap(world.top / "root/tmp/d", world.top / "away", world.top / "outside")
    before = world.seen("outside", "away")

    done = await store.delete(found)

    assert (done.keys, done.refused) == (frozenset(), {})
    assert world.seen("outside", "away") == before


async def test_a_folder_that_becomes_a_link_while_it_is_walked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between its entry and its opening, at each depth."""
    opened, outside = os.open, world.seen("outside")

    def late(path: Any, flags: int, *args: Any, **words: Any) -> int:
        folder = world.top / "root/tmp/d"
        if path == "d" and not folder.is_symlink():
            swap(folder, world.top / "away", world.top / "outside")
        return opened(path, flags, *args, **words)

    monkeypatch.setattr(os, "open", late)
    cleanup = cleanup_of({"tmp": LocalStore(LocalLocation(world.top / "root"))}, now=time.time())

    result = await clean(cleanup, "tmp")

    assert result.matched == 0
    assert world.seen("outside") == outside
    assert len(world.seen("away")) == 3


async def test_the_place_itself_may_become_a_link(world: World) -> None:
    """Then it has no files."""
    swap(world.top / "root/tmp", world.top / "away", world.top / "outside")
    cleanup = cleanup_of({"tmp": LocalStore(LocalLocation(world.top / "root"))}, now=time.time())
    before = world.seen("outside", "away")
    assert (await clean(cleanup, "tmp")).matched == 0
    assert (await clean(cleanup, "tmp/d")).matched == 0
    assert world.seen("outside", "away") == before


def swapping(world: World, ends: threading.Event) -> None:
    """Swap the folder and a link to the outside as fast as it goes."""
    inside, away = world.top / "root/tmp/d", world.top / "root/tmp/e"
    while not ends.is_set():
        swap(inside, away, world.top / "outside")
        for _ in range(100):  # for about as long as the folder is there
            os.lstat(inside)
        inside.unlink()
        away.rename(inside)


def put_old_file(folder: Path, when: float) -> None:
    """Into the folder, if it is one now."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_DIRECTORY | os.O_NOFOLLOW)
        made = os.open("secret", os.O_CREAT | os.O_WRONLY, dir_fd=descriptor)
        os.utime(made, (when, when))
        os.close(made)
        os.close(descriptor)


async def test_a_race_against_one_who_swaps_folders(world: World) -> None:
    """Runs follow each other, from the folder above and into the folder itself."""
    ends, outside, deleted = threading.Event(), world.seen("outside"), 0
    cleanup = cleanup_of({"tmp": LocalStore(LocalLocation(world.top / "root"))}, now=time.time())
    thread = threading.Thread(target=swapping, args=(world, ends))
    thread.start()
    try:
        for number in range(100):
            for name in ("d", "e"):
                put_old_file(world.top / "root/tmp" / name, OLD - number)
            for path in ("tmp", "tmp/d"):
                deleted += (await clean(cleanup, path)).deleted
                assert world.seen("outside") == outside
    finally:
        ends.set()
        thread.join()
    assert deleted > 0


async def test_a_very_deep_tree_is_cleaned(tmp_path: Path) -> None:
    """One descriptor is open at a time."""
    world, folder = World(tmp_path), tmp_path / "root/tmp"
    for _ in range(100):
        folder = folder / "d"
    folder.mkdir(parents=True)
    world.file(folder / "a")
    cleanup = cleanup_of({"tmp": LocalStore(LocalLocation(tmp_path / "root"))}, now=time.time())
    assert (await clean(cleanup)).deleted == 1
    shutil.rmtree(tmp_path / "root/tmp/d")


async def test_a_directory_that_may_not_be_read_buries_the_job_after_the_others_are_cleaned(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else its files would stay for ever, and every job would end well."""
    opened = os.open
    world.file(world.top / "root/tmp/a")

    def refused(path: Any, flags: int, *args: Any, **words: Any) -> int:
        if path == "d":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return opened(path, flags, *args, **words)

    monkeypatch.setattr(os, "open", refused)
    cleanup = cleanup_of({"tmp": LocalStore(LocalLocation(world.top / "root"))}, now=time.time())
    with pytest.raises(PermanentError, match=r"^1 directories can't be read, such as tmp/d: Permission denied; "):
        await clean(cleanup)
    assert not (world.top / "root/tmp/a").exists()
    assert (world.top / "root/tmp/d/a").exists()


async def test_directories_that_can_hold_no_key_are_not_walked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tree has no end for a job: below 900 bytes, or a backslash, no file has a key."""
    opened, seen = os.open, [""] * 0
    for folder in ("x\\y/inner", "/".join(["d" * 200] * 5)):
        (world.top / "root/tmp" / folder).mkdir(parents=True)

    def counted(path: Any, flags: int, *args: Any, **words: Any) -> int:
        seen.append(str(path))
        return opened(path, flags, *args, **words)

    monkeypatch.setattr(os, "open", counted)
    store = LocalStore(LocalLocation(world.top / "root"))
    assert [each async for each in store.list("tmp")]
    assert not {"x\\y", "inner"} & set(seen)
    assert seen.count("d" * 200) == 1 + 2 + 3 + 4


keys = st.lists(
    st.sampled_from(["exports", "exports2", "tmp", "uploads", "a", "..", ".", "", "ü", "x y", "\\", "\n"]), max_size=5
)


@example(objects=aged(["uploads/a", "exports/a"]), path="exports", pattern=None, is_wrong=True, dry_run=False, most=6)
@given(
    objects=st.dictionaries(
        keys.map("/".join), st.sampled_from([NOW - 999_999, NOW - 3599, NOW + 9]), min_size=3, max_size=20
    ),
    path=st.sampled_from(["exports", "tmp/a", "exports/a", None]) | keys.map("/".join),
    pattern=st.none() | st.sampled_from(PATTERNS),
    is_wrong=st.booleans(),
    dry_run=st.booleans(),
    most=st.integers(1, 6),
)
async def test_no_key_outside_the_prefixes_is_deleted(
    objects: dict[str, float], path: str | None, pattern: str | None, most: int, *, is_wrong: bool, dry_run: bool
) -> None:
    """Also by a store that lists more than it was asked for."""
    store = MemoryStore(objects, is_wrong=is_wrong)
    cleanup = cleanup_of({"exports": store, "tmp/a": store}, most=most)
    result = None
    with suppress(PermanentError, ValidationError):
        result = await clean(cleanup, path, dryRun=dry_run, pattern=pattern)
    gone = objects.keys() - store.objects.keys()

    assert all(key.startswith(("exports/", "tmp/a/")) for key in gone)
    assert all(objects[key] <= NOW - 3600 and not {"", ".", ".."} & set(key.split("/")) for key in gone)
    assert all(key.startswith(f"{path}/") for key in gone)
    assert len(gone) <= most
    assert result is not None or not gone
    assert not (dry_run and gone)


@given(key=keys.map("/".join) | st.text(max_size=20), folder=keys.map("/".join))
def test_the_last_guard_lets_only_keys_below_the_folder_pass(key: str, folder: str) -> None:
    """Whatever a store has listed."""
    place = Place(MemoryStore({}), folder)
    assert place.has(key) is (is_below(key, folder))
    if place.has(key):
        assert key.startswith(folder + "/")
        assert os.path.normpath(f"/{key}") == f"/{key}"
