"""What messages say, and what none may say."""

import pytest

from services.intake.policy.texts import CONTENT, LANGUAGES, REVEALING, TEXTS, Sender, language_of, words_for

HUB = Sender("Exampleshire Victims' Hub", "0300 123 4567")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("purpose", [*TEXTS, "hate_crime_report"])
def test_no_text_message_tells_a_stranger_what_it_is_about(purpose: str, language: str):
    said = words_for("text", purpose, tuple(CONTENT), language, HUB)

    assert REVEALING.search(said.body) is None
    assert "0300 123 4567" in said.body
    assert len(said.body) <= 306  # two parts of a text message


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("purpose", [*TEXTS, "hate_crime_report"])
def test_an_email_says_who_writes_and_nothing_else_that_tells(purpose: str, language: str):
    said = words_for("email", purpose, tuple(CONTENT), language, HUB)

    assert HUB.name in said.body
    assert REVEALING.search(said.subject + said.body.replace(HUB.name, "")) is None
    assert all(each[language] in said.body for each in CONTENT.values())


def test_a_name_that_says_nothing_is_given_and_one_without_contact_has_no_last_line():
    said = words_for("text", "offer", (), "en", Sender("Lighthouse"))

    assert said.body.startswith("This is Lighthouse. ")
    assert not said.body.endswith("To reach us:")


@pytest.mark.parametrize(("tag", "language"), [("cy", "cy"), ("cy-GB", "cy"), ("en", "en"), ("pl", "en"), (None, "en")])
def test_welsh_is_written_to_who_wants_it(tag: str | None, language: str):
    assert language_of(tag) == language


def test_both_languages_say_everything():
    assert all(set(each) == set(LANGUAGES) for each in (*TEXTS.values(), *CONTENT.values()))
