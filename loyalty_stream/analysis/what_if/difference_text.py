"""What a what-if found, for a person and as JSON. It must not know how it was found."""

import msgspec

from loyalty_stream.analysis.what_if.difference import POINTS, CampaignChange, Change, Difference


def as_json(found: Difference) -> str:
    """One JSON object; every figure as `was` and `would_be`."""
    return msgspec.json.format(msgspec.json.encode(found), indent=2).decode()


def as_text(found: Difference, currency: str) -> str:
    """Tables for a person."""
    lines = [_headline(found), "", f"{'':28}{'was':>16}{'would be':>16}{'difference':>16}"]
    lines += [_row("customers", found.customers), "", "Points"]
    for name in POINTS[:5]:
        lines.append(_row(name, found.points[name]))
        lines += [
            _row(f"  {label}", change)
            for label, change in sorted(
                found.by_reason.get(name, {}).items(), key=lambda item: -max(item[1].was, item[1].would_be)
            )
        ]
    lines += [_row("outstanding", found.outstanding)]
    lines += [_row("owed by customers", found.points["debt"])]
    lines += ["", f"Value in {currency}"]
    lines += [_money("spent on orders", found.cash_amount), _money("liability", found.liability_amount)]
    lines += _table("Campaigns", [_campaign_rows(each) for each in found.campaigns])
    lines += _table("Rewards issued", [[_row(name, each)] for name, each in found.rewards.items()])
    lines += _table("Prizes won", [[_row(name, each)] for name, each in found.prizes.items()])
    lines += _table("Commands refused", [[_row(name, each)] for name, each in found.rejections.items()])
    lines += _table("Tiers", [[_row(name or "none", each)] for name, each in found.tiers.items()])
    lines += _customers(found)
    lines += _remarks(found)
    if found.identical:
        lines += ["", "Nothing differs: not a sum, and no customer's account."]
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _remarks(found: Difference) -> list[str]:
    said = []
    if found.board_rewards_kept:
        said.append("Points for places on leaderboards are as they were: standings are not worked out anew.")
    if found.refused_facts:
        said.append(f"Facts not taken, as too old, too large or in another currency: {found.refused_facts:,}")
    if found.failed_facts:
        said.append(f"Facts passed over, as applying them failed (processing_failed): {found.failed_facts:,}")
    return ["", *said] if said else []


def _headline(found: Difference) -> str:
    when = "from the start" if found.since is None else f"from {found.since.isoformat()} on"
    passes = "1 pass" if found.passes == 1 else f"{found.passes} passes"
    again = f", {found.replayed_again:,} customers again" if found.replayed_again else ""
    return f"{found.facts:,} facts replayed under the other rules {when} ({passes}{again})"


def _campaign_rows(each: CampaignChange) -> list[str]:
    rows = [_row(each.campaign_id, each.points), _row("  customers", each.customers)]
    if each.entries.was or each.entries.would_be:
        rows.append(_row("  entries to its draw", each.entries))
    return rows


def _customers(found: Difference) -> list[str]:
    lines = ["", "Customers, by the points that they spent or still have"]
    lines += [
        f"{'better off':28}{found.better_off:>16,}",
        f"{'worse off':28}{found.worse_off:>16,}",
        f"{'as before':28}{found.as_before:>16,}",
    ]
    for title, those in (
        ("most better off", found.most_better_off),
        ("most worse off", found.most_worse_off),
    ):
        if those:
            lines += [title, *[_row(f"  {each.customer}", Change(each.was, each.would_be)) for each in those]]
    return lines


def _table(title: str, rows: list[list[str]]) -> list[str]:
    return ["", title, *[row for those in rows for row in those]] if rows else []


def _row(name: str, change: Change) -> str:
    return f"{name:28}{change.was:>16,}{change.would_be:>16,}{change.would_be - change.was:>+16,}"


def _money(name: str, change: Change) -> str:
    cells = (change.was, change.would_be, change.would_be - change.was)
    was, would_be, difference = (f"{abs(minor) // 100:,}.{abs(minor) % 100:02}" for minor in cells)
    sign = "-" if cells[2] < 0 else "+"
    return f"{name:28}{was:>16}{would_be:>16}{sign + difference:>16}"
