"""One partition tells its customers that campaigns have started: a slice of the accounts at a time.

How far it has come is stored with each slice, so after a crash it goes on where it was; and an account remembers
that it was told. It must not know what an account is, nor who is told.
"""

from bisect import bisect_right
from typing import Final

import msgspec
from msgspec import Struct

from loyalty_stream.domain import campaign_starts
from loyalty_stream.domain.campaign_book import CampaignBook
from loyalty_stream.engine.table import Table
from loyalty_stream.engine.timers import Timers

TIMER: Final = b"\x00campaign:"
"""Stands before the campaign's id among the keys of the timers; no customer's key begins with a zero byte."""


class Progress(Struct, array_like=True, gc=False):
    """How far the telling of one campaign has come."""

    due: int
    """When it started, in ms."""
    last: bytes = b""
    """All accounts up to this key have been looked at; they are gone through in the order of their keys."""
    done: bool = False


class ProgressCodec:
    """How progress is stored."""

    encode = staticmethod(msgspec.msgpack.Encoder().encode)
    decode = staticmethod(msgspec.msgpack.Decoder(Progress).decode)


class CampaignStarts:
    """What has fallen due and is not told to the end. `progress` is the side table, by campaign id.

    Customers who are first seen after the start are not told: it is the start that is told of.
    """

    def __init__(self, progress: Table) -> None:
        self._progress = progress
        self._keys: list[bytes] = []
        """Of the campaign that is being told of."""
        self._of = b""
        self._waiting: list[bytes] = []
        """Campaigns to tell of, the first one now."""

    @property
    def busy(self) -> bool:
        """Whether anybody is still to be looked at."""
        return bool(self._waiting)

    def restored(self) -> None:
        """Go on with what was begun before."""
        for campaign_id, value in sorted(self._progress.committed_items()):
            if not ProgressCodec.decode(value).done:
                self._waiting.append(campaign_id)

    def schedule(self, book: CampaignBook, timers: Timers) -> None:
        """Let every campaign that is known now fall due at its start."""
        for due, campaign_id in campaign_starts.starts(book):
            if self._progress.get(campaign_id.encode()) is None:
                timers.schedule(TIMER + campaign_id.encode(), due)

    def due_of(self, key: bytes, book: CampaignBook) -> int | None:
        """When a key of ours falls due; None: it has, or there is nothing to tell of any more."""
        campaign_id = key.removeprefix(TIMER)
        if self._progress.get(campaign_id) is not None:
            return None
        name = campaign_id.decode()
        return next((due for due, known in campaign_starts.starts(book) if known == name), None)

    def begin(self, key: bytes, due: int, book: CampaignBook, now: int) -> None:
        """The campaign of this key has fallen due; if it is over by `now` (ms) already, nobody is told."""
        campaign_id = key.removeprefix(TIMER)
        over = campaign_starts.running(book, campaign_id.decode(), now) is None
        self._progress.touch(campaign_id, Progress(due, done=over))
        if not over:
            self._waiting.append(campaign_id)

    def take(self, accounts: Table, count: int) -> tuple[str, int, list[bytes]]:
        """The campaign, its start (ms), and up to `count` accounts to look at next; the place is noted."""
        campaign_id = self._waiting[0]
        progress: Progress = self._progress.get(campaign_id)
        if self._of != campaign_id:
            self._of, self._keys = campaign_id, sorted(accounts.keys())
        start = bisect_right(self._keys, progress.last)
        taken = self._keys[start : start + count]
        if taken:
            progress.last = taken[-1]
        if start + count >= len(self._keys):
            progress.done, progress.last = True, b""
            self._waiting.pop(0)
            self._of, self._keys = b"", []
        self._progress.touch(campaign_id, progress)
        return campaign_id.decode(), progress.due, taken
