"""What the oracle grants for all but orders: registration, reviews, shares, check-ins, games, surveys, activities."""

from datetime import timedelta

from plain import when


def day_of(book):
    return when.day_of(book.at, book.zone)


def limited(book, points, rule, day):
    """Grant what the daily limit of points leaves; returns how many that is."""
    limit = book.rules.daily_points_limit
    used = sum(each["points"] for each in book.counted if each["day"] == day)
    allowed = min(points, max(limit - used, 0)) if limit else points
    book.grant(allowed, rule, cut=allowed < points)
    book.counted.append({"day": day, "points": allowed, "rule": rule, "earned": allowed > 0})
    return allowed


def once(book, *name):
    if name in book.ids:
        return False
    book.ids.add(name)
    return True


def earn_up_to(book, points, rule, daily_limit, *, void=False):
    """Grant unless the rule has earned so often on this day already. What is `void` counts and is worth nothing."""
    day = day_of(book)
    earned = [each for each in book.counted if each["rule"] == rule and each["day"] == day and each["earned"]]
    if daily_limit and len(earned) >= daily_limit:
        points = 0
    if void:
        book.counted.append({"day": day, "points": 0, "rule": rule, "earned": points > 0})
    else:
        limited(book, points, rule, day)


def registered(book, fact, world):
    if book.registered_at is not None:
        return
    book.registered_at = book.at
    book.segments = fact.data.segments
    if fact.data.referred_by != book.customer:
        book.referred_by = fact.data.referred_by
    book.grant(book.rules.registration_points, "registration")
    world.campaigns.other(book, "registration", fact)
    world.referral(book)


def updated(book, fact, world):
    book.segments = fact.data.segments


def reviewed(book, fact, world):
    data, rule = fact.data, book.rules.review
    if ("review", data.review_id) in book.ids:
        return
    if data.order_id is not None and ("reviewed", data.order_id, data.sku) in book.ids:
        return
    book.ids.add(("review", data.review_id))
    if data.order_id is not None:
        book.ids.add(("reviewed", data.order_id, data.sku))
    points = 0 if rule is None else rule.points + (rule.photo_bonus if data.has_photo else 0)
    before = len(book.lots)
    removed = ("removed", data.review_id) in book.ids
    earn_up_to(book, points, "review", rule.daily_limit if rule else 0, void=removed)
    book.reviews.append({"review_id": data.review_id, "lots": book.lots[before:]})
    if not removed:
        world.campaigns.other(book, "review", fact)


def shared(book, fact, world):
    rule = book.rules.share
    if not once(book, "share", fact.data.share_id):
        return
    earn_up_to(book, rule.points if rule else 0, "share", rule.daily_limit if rule else 0)
    world.campaigns.other(book, "share", fact)


def checked_in(book, fact, world):
    day, rule = day_of(book), book.rules.check_in
    if day in book.check_in_days:
        return
    earlier = run(book, day, -1)
    later = run(book, day, 1)
    book.check_in_days.add(day)
    if rule is not None:
        limited(book, rule.points, "check_in", day)
        for streak in rule.streaks:
            longest = rule.streaks[-1].days
            had = reached(earlier, streak.days, longest) + reached(later, streak.days, longest)
            if reached(earlier + 1 + later, streak.days, longest) > had:
                limited(book, streak.bonus, "check_in", day)
    world.campaigns.other(book, "check_in", fact)


def run(book, day, direction):
    """How many days without a gap were checked in right before or after the day."""
    length = 0
    while day + timedelta(days=direction * (length + 1)) in book.check_in_days:
        length += 1
    return length


def reached(length, days, longest):
    """How often a run of this length comes to so many days; after the longest streak it counts anew."""
    return sum(1 for position in range(length) if position % longest + 1 == days)


def played(book, fact, world):
    data = fact.data
    if not once(book, "game", data.game_id, data.play_id):
        return
    game = book.rules.games.get(data.game_id)
    points = 0
    for band in game.bands if game else ():
        if data.score >= band.minimum_score:
            points = band.points
    earn_up_to(book, points, f"game:{data.game_id}", game.daily_limit if game else 0)
    world.campaigns.other(book, "game", fact)


def surveyed(book, fact, world):
    survey_id = fact.data.survey_id
    if not once(book, "survey", survey_id):
        return
    limited(book, book.rules.surveys.get(survey_id, 0), f"survey:{survey_id}", day_of(book))
    world.campaigns.other(book, "survey", fact)


def attended(book, fact, world):
    if not once(book, "activity", fact.data.attendance_id):
        return
    limited(book, book.rules.activity_points, "activity", day_of(book))
    world.campaigns.other(book, "activity", fact)
