"""Points for games, surveys and activities attended ([[games]], [[surveys]], [earning.activity])."""

from loyalty_stream.domain import calendar, campaign_awards, identity, limits
from loyalty_stream.domain.facts import ActivityAttended, GamePlayed, SurveySubmitted
from loyalty_stream.domain.journal import Journal
from loyalty_stream.domain.notes import ActivityNote, GameNote, KeyNote, SurveyNote
from loyalty_stream.domain.rules import Game, Rules


def decide_game_played(journal: Journal, fact: GamePlayed, rules: Rules) -> None:
    """Reward the play by the highest band that its score reaches, once per game and play.

    A game that the programme does not know, a score below all bands and a play past the day's limit earn
    nothing, are remembered as unearned and do not count against the limit.
    """
    account = journal.account
    data = fact.data
    if identity.remembers(account.keys, identity.business_key("game", data.game_id, data.play_id)):
        journal.remember("key", KeyNote())
        return
    day = calendar.local_day(journal.at, rules.zone)
    rule = f"game:{data.game_id}"
    game = rules.games.get(data.game_id)
    points = 0
    if game is not None and not limits.reached(account, day, rule, game.daily_limit):
        points = band_points(game, data.score)
    note = GameNote(
        game_id=data.game_id,
        play_id=data.play_id,
        day=day,
        earned=limits.allowed_points(account, rules, day, points) > 0,
    )
    journal.remember("game", note)
    limits.grant_within(journal, rules, points=points, rule=rule, reason="game", day=day)
    campaign_awards.award_event(journal, rules, "game")


def band_points(game: Game, score: int) -> int:
    """The points of the highest band that `score` reaches; 0 below the lowest."""
    points = 0
    for band in game.bands:
        if score < band.minimum_score:
            break
        points = band.points
    return points


def decide_survey_submitted(journal: Journal, fact: SurveySubmitted, rules: Rules) -> None:
    """Reward the survey once per customer. One that the programme does not know is only remembered."""
    data = fact.data
    if data.survey_id in journal.account.surveys:
        journal.remember("key", KeyNote())
        return
    journal.remember("survey", SurveyNote(data.survey_id, data.response_id, data.satisfaction))
    limits.grant_within(
        journal,
        rules,
        points=rules.surveys.get(data.survey_id, 0),
        rule=f"survey:{data.survey_id}",
        reason="survey",
        day=calendar.local_day(journal.at, rules.zone),
    )
    campaign_awards.award_event(journal, rules, "survey")


def decide_activity_attended(journal: Journal, fact: ActivityAttended, rules: Rules) -> None:
    """Reward the attendance, online or offline, once per attendance id."""
    data = fact.data
    if identity.remembers(journal.account.keys, identity.business_key("activity", data.attendance_id)):
        journal.remember("key", KeyNote())
        return
    journal.remember("activity", ActivityNote(data.activity_id, data.attendance_id))
    limits.grant_within(
        journal,
        rules,
        points=rules.activity_points,
        rule="activity",
        reason="activity",
        day=calendar.local_day(journal.at, rules.zone),
    )
    campaign_awards.award_event(journal, rules, "activity")
