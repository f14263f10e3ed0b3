"""Set-up on a fresh machine and after accidents, played through with a tiny checkout."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from course_utils.commands import bootstrap, cli
from tests.unit.tiny_checkout import BASE_PYTHON, LOCK, NOBODY, Checkout, Index, wheel, wheels

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such programs or limits")


def one_line(text: str) -> str:
    """The single line of an error message."""
    lines = text.strip().splitlines()
    assert len(lines) == 1, text
    return lines[0]


@pytest.fixture(scope="module")
def offered(tmp_path_factory) -> Path:
    """A folder of wheels, uv among them."""
    return wheels(tmp_path_factory.mktemp("offer") / "wheels")


@pytest.fixture(scope="module")
def ready(tmp_path_factory, offered) -> Checkout:
    """A checkout after its first set-up."""
    root = tmp_path_factory.mktemp("first") / "my course, with spaces"
    checkout = Checkout(root, offered).make()
    result = checkout.run("setup")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "pip installs" not in result.stdout  # it was uv
    return checkout


@pytest.fixture
def copy(ready, offered, tmp_path) -> Checkout:
    """A finished checkout to damage. It has moved, which by itself must not matter."""
    shutil.copytree(ready.root, tmp_path / "moved course", symlinks=True)
    return Checkout(tmp_path / "moved course", offered)


def packages(checkout: Checkout) -> Path:
    """The site-packages of its .venv."""
    return next((checkout.root / ".venv").glob("[Ll]ib/**/site-packages"))


def imported(checkout: Checkout, code: str) -> str:
    """What Python code prints in its .venv, away from the checkout."""
    done = subprocess.run(
        [checkout.python, "-c", code],
        cwd=checkout.root / ".venv",
        env=checkout.environment(),
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def test_first_set_up_installs_the_locked_and_a_second_does_nothing(ready):
    assert ready.stamp.exists() and not ready.partial.exists()
    assert ready.installed() == ["tiny-thing==1.0", "uv==1.0"]
    place = imported(ready, "import course_utils; print(course_utils.__file__)")
    assert Path(place).is_relative_to(ready.root)
    before = ready.stamp.stat().st_mtime_ns
    again = ready.run("setup")
    assert again.returncode == 0 and "Installing" not in again.stdout
    assert ready.stamp.stat().st_mtime_ns == before


def test_lab_is_quiet_about_news_from_the_start(ready):
    labconfig = ready.root / ".venv" / "etc" / "jupyter" / "labconfig"
    settings = json.loads((labconfig / "default_setting_overrides.json").read_text())
    news = settings["@jupyterlab/apputils-extension:notification"]
    assert news == {"checkForUpdates": False, "fetchNews": "false"}


def test_a_server_of_the_environment_has_the_courses_extension(ready):
    folder = ready.root / ".venv" / "etc" / "jupyter" / "jupyter_server_config.d"
    extensions = json.loads((folder / "course.json").read_text())["ServerApp"][
        "jpserver_extensions"
    ]
    assert extensions == {"course_utils.commands.server_extension": True}


def test_a_moved_checkout_is_ready_as_it_is(copy):
    result = copy.run("setup", PIP_FIND_LINKS="")
    assert result.returncode == 0 and "Installing" not in result.stdout
    place = imported(copy, "import course_utils; print(course_utils.__file__)")
    assert Path(place).is_relative_to(copy.root)


def cut_off(checkout):
    checkout.partial.touch()


def python_gone(checkout):
    for path in checkout.python.parent.glob("python*"):
        path.unlink()


def pip_gone(checkout):
    checkout.stamp.unlink()
    shutil.rmtree(packages(checkout) / "pip")


def package_gone(checkout):
    (packages(checkout) / "tiny_thing.py").unlink()


def not_a_folder(checkout):
    shutil.rmtree(checkout.root / ".venv")
    (checkout.root / ".venv").write_text("oops")


@pytest.mark.parametrize("damage", [cut_off, python_gone, pip_gone, package_gone, not_a_folder])
def test_a_broken_environment_is_rebuilt(copy, damage):
    damage(copy)
    result = copy.run("setup")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Rebuilding .venv: " in result.stdout
    assert copy.stamp.exists() and not copy.partial.exists()
    assert "Rebuilding" not in copy.run("setup").stdout


def test_a_changed_lock_updates_in_place(copy):
    (copy.root / ".venv" / "mine").touch()
    copy.lock(LOCK.replace("tiny-thing==1.0", "tiny-thing==2.0"))
    result = copy.run("setup")
    assert result.returncode == 0 and "Installing" in result.stdout
    assert "tiny-thing==2.0" in copy.installed()
    assert (copy.root / ".venv" / "mine").exists()


def test_the_test_extra_is_added_once_and_kept(copy):
    code = "from course_utils.commands.bootstrap import ensure; ensure({})"
    for extras, installs in (("('test',)", True), ("('test',)", False), ("()", False)):
        result = subprocess.run(
            [BASE_PYTHON, "-c", code.format(extras)],
            cwd=copy.root,
            env=copy.environment(),
            capture_output=True,
            text=True,
        )
        assert result.returncode == 0, result.stderr
        assert ("Installing" in result.stdout) == installs
    assert "tiny-more==1.0" in copy.installed()
    assert "test" in copy.stamp.read_text()


def without_uv(checkout: Checkout) -> dict[str, str]:
    """An index without uv, and none is installed."""
    shutil.rmtree(packages(checkout) / "uv")
    shutil.rmtree(packages(checkout) / "uv-1.0.dist-info")
    return {"PIP_FIND_LINKS": wheels(checkout.root.parent / "poor", with_uv=False).as_uri()}


def uv_stumbles(checkout: Checkout) -> dict[str, str]:
    """A uv that cannot even read its settings."""
    return {"UV_CONFIG_FILE": str(checkout.root / "missing.toml"), "UV_NO_CONFIG": "0"}


@pytest.mark.parametrize("hindered", [without_uv, uv_stumbles])
def test_pip_does_the_same_where_uv_cannot(copy, hindered):
    copy.lock(LOCK.replace("tiny-thing==1.0", "tiny-thing==2.0"))
    settings = hindered(copy)
    result = copy.run("setup", **settings)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "pip installs, which takes longer" in result.stdout
    assert "tiny-thing==2.0" in copy.installed()
    assert copy.stamp.exists() and not copy.partial.exists()
    assert "Installing" not in copy.run("setup", **settings).stdout


# --- faults: one line each, and what was there still works ----------------------------------------


@pytest.mark.parametrize("has_uv", [True, False], ids=["uv", "pip"])
def test_without_network_one_line_says_so_and_nothing_is_lost(copy, has_uv):
    if not has_uv:
        without_uv(copy)
    copy.lock(LOCK.replace("tiny-thing==1.0", "tiny-thing==2.0"))
    closed = {"PIP_NO_INDEX": "", "PIP_FIND_LINKS": "", "PIP_INDEX_URL": NOBODY}
    offline = copy.run("setup", **closed, PIP_RETRIES="1", MAKELEVEL="1")
    assert offline.returncode == 1
    line = one_line(offline.stderr)
    assert line.startswith("course: no network") and "Then run `make setup` again" in line
    assert not copy.partial.exists()  # what was there was not touched
    assert imported(copy, "import tiny_thing; print(tiny_thing.version)") == "1.0"
    online = copy.run("setup")
    assert online.returncode == 0, online.stdout + online.stderr
    assert "Rebuilding" not in online.stdout
    assert "tiny-thing==2.0" in copy.installed()


def test_a_first_set_up_without_network_says_so(tmp_path, offered):
    checkout = Checkout(tmp_path / "a course", offered).make()
    closed = {"PIP_NO_INDEX": "", "PIP_FIND_LINKS": "", "PIP_INDEX_URL": NOBODY}
    offline = checkout.run("setup", **closed, PIP_RETRIES="1")
    assert offline.returncode == 1
    line = one_line(offline.stderr)
    assert "no network" in line and "`python -m course_utils setup` again" in line
    assert checkout.partial.exists() and not checkout.stamp.exists()


def test_an_index_that_refuses_is_named(copy):
    copy.lock(LOCK.replace("tiny-thing==1.0", "tiny-thing==2.0"))
    with Index().listening() as index:
        refused = copy.run("setup", **index.settings(), PIP_FIND_LINKS="")
    assert refused.returncode == 1
    line = one_line(refused.stderr)
    assert "the package index refuses, or does not offer tiny-thing" in line and "PIP_" in line
    assert imported(copy, "import tiny_thing; print(tiny_thing.version)") == "1.0"


@posix
def test_a_full_disk_is_named(copy, tmp_path):
    """No file may grow beyond some bytes: uv is ended by the system, and pip says why."""
    resource = pytest.importorskip("resource")
    large = wheels(tmp_path / "large")
    wheel(large, "tiny-thing", "3.0", "# " + os.urandom(300_000).hex())
    copy.lock(LOCK.replace("tiny-thing==1.0", "tiny-thing==3.0"))

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    full = subprocess.run(
        [BASE_PYTHON, "-m", "course_utils", "setup"],
        cwd=copy.root,
        env=copy.environment(PIP_FIND_LINKS=large.as_uri(), PYTHONDONTWRITEBYTECODE="1"),
        capture_output=True,
        text=True,
        preexec_fn=limit,
    )
    assert full.returncode == 1
    assert full.stderr.strip().splitlines()[-1].startswith("course: the disk is full. Free about")
    result = copy.run("setup", PIP_FIND_LINKS=large.as_uri())
    assert result.returncode == 0, result.stdout + result.stderr
    assert "tiny-thing==3.0" in copy.installed()


@posix
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill"])
def test_a_set_up_that_was_cut_off_is_made_afresh(copy, offered, how):
    copy.lock(LOCK.replace("tiny-thing==1.0", "tiny-thing>=2.0"))
    large = offered / "tiny_thing-2.0-py3-none-any.whl"
    (only_uv := copy.root.parent / "only uv").mkdir()
    shutil.copy(offered / "uv-1.0-py3-none-any.whl", only_uv)
    with Index(large).listening() as index:
        settings = index.settings() | {"PIP_FIND_LINKS": only_uv.as_uri()}
        settings["UV_CACHE_DIR"] = str(copy.root.parent / "a new cache")
        process = subprocess.Popen(
            [BASE_PYTHON, "-m", "course_utils", "setup"],
            cwd=copy.root,
            env=copy.environment(**settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert index.asked.wait(60)
        os.killpg(process.pid, how)
        _, said = process.communicate(timeout=60)
        if how == signal.SIGINT:
            assert process.returncode == 130 and "Traceback" not in said
            assert said.endswith("course: stopped. `python -m course_utils setup` goes on.\n")
        assert copy.partial.exists() and not copy.stamp.exists()
        if how == signal.SIGINT:
            return
        index.go_on.set()
        again = copy.run("setup", **settings)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "Rebuilding .venv: the last set-up was cut off." in again.stdout
    assert "tiny-thing==2.0" in copy.installed() and not copy.partial.exists()


@posix
def test_a_home_that_cannot_be_written_does_not_matter(copy):
    copy.lock(LOCK.replace("tiny-thing==1.0", "tiny-thing==2.0"))
    home = os.path.join(os.devnull, "home")
    del copy.settings["UV_CACHE_DIR"]
    result = copy.run("setup", HOME=home, XDG_CACHE_HOME=home)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "pip installs" not in result.stdout
    assert "tiny-thing==2.0" in copy.installed()


@posix
def test_a_course_folder_that_cannot_be_written_is_named(monkeypatch, capsys):
    for name in ("VENV", "STAMP", "PARTIAL", "LOG"):
        path = Path(os.devnull, "course", ".venv", name)
        monkeypatch.setattr(bootstrap, name, path.parent if name == "VENV" else path)
    assert cli.main(["setup"]) == 1
    line = one_line(capsys.readouterr().err)
    assert "cannot change /dev/null/course/.venv" in line and "copy the course to a folder" in line


def test_packages_that_do_not_import_are_named(copy, tmp_path):
    broken = wheels(tmp_path / "broken")
    wheel(broken, "tiny-thing", "4.0", "raise ImportError('no libtiny')")
    copy.lock(LOCK.replace("tiny-thing==1.0", "tiny-thing==4.0"))
    result = copy.run("setup", PIP_FIND_LINKS=broken.as_uri())
    assert result.returncode == 1
    assert "it failed: ImportError: no libtiny (details:" in result.stderr.splitlines()[-1]
    assert copy.partial.exists() and "no libtiny" in copy.log.read_text()


def test_nothing_leads_out_of_the_environment(copy, tmp_path):
    copy.lock(LOCK.replace("tiny-thing==1.0", "tiny-thing==2.0"))
    astray = {"PIP_USER": "1", "PIP_TARGET": str(tmp_path / "target"), "UV_SYSTEM_PYTHON": "1"}
    astray |= {"VIRTUAL_ENV": sys.prefix, "UV_PYTHON": sys.executable, "CONDA_PREFIX": sys.prefix}
    result = copy.run("setup", **astray, PYTHONPATH=str(tmp_path))
    assert result.returncode == 0, result.stdout + result.stderr
    assert "pip installs" not in result.stdout and not (tmp_path / "target").exists()
    assert "tiny-thing==2.0" in copy.installed()


def test_what_is_set_for_pip_serves_uv(monkeypatch, tmp_path):
    """A mirror in pip's own file, two more indexes; what is set for uv itself goes before it."""
    for name in [name for name in os.environ if name.upper().startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(bootstrap, "VENV_PYTHON", Path(sys.executable))
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    (tmp_path / "pip.conf").write_text(
        "[global]\nindex-url = file:///mirror\nextra-index-url =\n    file:///a\n    file:///b\n"
        "timeout = 7\n[install]\nfind-links = /x /y\ntimeout = 8\n"
    )
    monkeypatch.setenv("PIP_CERT", "/my/ca.pem")
    monkeypatch.setenv("UV_HTTP_RETRIES", "9")
    monkeypatch.setenv("PIP_RETRIES", "2")
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    found = bootstrap.uv_settings()
    assert found["UV_INDEX_URL"] == "file:///mirror"
    assert found["UV_EXTRA_INDEX_URL"] == "file:///a file:///b"
    assert found["UV_FIND_LINKS"] == "/x,/y"
    assert found["UV_HTTP_TIMEOUT"] == "8" and found["UV_HTTP_RETRIES"] == "9"
    assert found["SSL_CERT_FILE"] == "/my/ca.pem"
    assert "UV_OFFLINE" not in found and found["UV_PYTHON_DOWNLOADS"] == "never"


MISSING_ON_DEBIAN = """\
The virtual environment was not created successfully because ensurepip is not
available.  On Debian/Ubuntu systems, you need to install the python3-venv
package using the following command.
"""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("after connection broken by 'NameResolutionError: Could not find a version", "no network"),
        ("Max retries exceeded with url: /simple/uv/ (Caused by NewConnectionError(", "no network"),
        ("OSError: [Errno 28] No space left on device", "the disk is full"),
        ("OSError: [Errno 122] Disk quota exceeded", "the disk is full"),
        ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]", "certificate"),
        (
            "ERROR: No matching distribution found for torch==2.15.0",
            "does not offer torch==2.15.0 as locked",
        ),
        ("ERROR: Cannot install torch>=2.13 because these", "does not offer torch>=2.13 as locked"),
        (MISSING_ON_DEBIAN, "sudo apt install python3"),
        ("/usr/bin/python3: No module named venv", "sudo apt install python3"),
        ("ERROR: first\nERROR: Something else broke", "it failed: Something else broke (details"),
        ("", "it failed"),
    ],
)
def test_failures_are_explained_in_one_line(monkeypatch, tmp_path, words, message):
    monkeypatch.setattr(bootstrap, "LOG", tmp_path / "log")
    with pytest.raises(bootstrap.SetupError) as caught:
        bootstrap.must(subprocess.CompletedProcess(["pip"], 1, None, words))
    assert message in one_line(str(caught.value))
    assert words in (tmp_path / "log").read_text()
    bootstrap.must(subprocess.CompletedProcess(["pip"], 0, None, words))


def test_clean_removes_what_set_up_made_and_keeps_data(copy):
    (copy.root / "data").mkdir()
    (copy.root / "data" / "kept").touch()
    for place in ("benchmarks/.peers", "mine"):
        (copy.root / place).mkdir(parents=True)
        (copy.root / place / "pyvenv.cfg").touch()
    assert copy.run("clean").returncode == 0
    assert not (copy.root / "benchmarks/.peers").exists() and (copy.root / "mine").exists()
    assert not (copy.root / ".venv").exists()
    assert not list(copy.root.rglob("__pycache__"))
    assert (copy.root / "data" / "kept").exists() and (copy.root / "pyproject.toml").exists()


def test_a_too_old_python_hands_over_to_a_finished_environment(ready):
    result = ready.pretend_old()
    assert result.returncode == 0 and "The course is set up" in result.stdout
