"""`python -m benchmarks.email [rounds]`: 1,000 mails over 5 connections, ours and Nodemailer's pool in turn.

Both send the same bytes to the same server, which is a process of its own, at hand and at a distance. Needs npm.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.harness import in_turn, median

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
MAILS, CONNECTIONS = "1000", "5"
SINKS = {
    "at hand": ["0"],
    "at hand, one command at a time": ["0", "one-by-one"],
    "20 ms an answer": ["20"],
    "100 ms an answer": ["100"],
}
NPM = shutil.which("npm") or sys.exit("npm is not on PATH")


def mail() -> bytes:
    """A mail of 10 kB, as an order's confirmation is."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "app@example.com", "ann@example.com", "Your order"
    message.set_content("Your order is on its way.")
    message.add_alternative("<p>Your order is on its way. It will be there on Monday.</p>\n" * 150, subtype="html")
    return message.as_bytes().replace(b"\n", b"\r\n")


@contextmanager
def sink(options: list[str]) -> Iterator[str]:
    """A server; yields its port."""
    command = [sys.executable, str(HERE / "sink.py"), *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()


def run(command: list[str], port: str, path: str, cpu: list[float]) -> float:
    """Mails a second. Adds the milliseconds of processor for each mail to `cpu`."""
    out = subprocess.run([*command, port, MAILS, CONNECTIONS, path], check=True, capture_output=True, text=True).stdout
    told = json.loads(out)
    cpu.append(told["cpu"])  # seconds for a thousand mails
    return int(MAILS) / float(told["seconds"])


def compare(name: str, options: list[str], path: str, rounds: int) -> None:
    """Print one line of the table."""
    commands = {"ours": [sys.executable, "-m", "benchmarks.email.ours"], "peer": ["node", str(HERE / "peer.mjs")]}
    cpu: dict[str, list[float]] = {who: [] for who in commands}
    with sink(options) as port:
        runs = in_turn({who: partial(run, command, port, path, cpu[who]) for who, command in commands.items()}, rounds)
    ratios = [mine / theirs for mine, theirs in zip(runs["ours"], runs["peer"], strict=True)]
    figures = " | ".join(f"{median(runs[who]):,.0f} | {median(cpu[who]):.2f}" for who in commands)
    print(
        f"| {name} | {figures} | {median(ratios):.2f} x ({', '.join(f'{each:.2f}' for each in ratios)}) |", flush=True
    )


def main(rounds: int = 5) -> None:
    """Print the table of README.md."""
    subprocess.run([NPM, "ci", "--silent", "--no-audit", "--no-fund"], cwd=HERE, check=True)
    print("| the server | ours, mails/s | ms of processor a mail | Nodemailer, mails/s | ms a mail | ratio |")
    print("|---|---|---|---|---|---|")
    with tempfile.NamedTemporaryFile(suffix=".eml") as file:
        file.write(mail())
        file.flush()
        for name, options in SINKS.items():
            compare(name, options, file.name, rounds)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
