"""No address is shown with its password."""

import pytest

from scangen_bundle.secrets import masked


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://me:s3cret@host:5000/x", "https://me:***@host:5000/x"),
        ("postgresql+psycopg2://me:p@ss:word@db/mlflow", "postgresql+psycopg2://me:***@db/mlflow"),
        ("see http://a:b@c and http://d:e@f", "see http://a:***@c and http://d:***@f"),
        ("https://:token@host", "https://:***@host"),
    ],
)
def test_passwords_become_stars(text, shown):
    assert masked(text) == shown


@pytest.mark.parametrize(
    "text", ["http://host:5000/a@b", "sqlite:////data/mlflow.db", "me@host: no", "C:\\a", "http://me@host/", ""]
)
def test_what_has_no_password_stays(text):
    assert masked(text) == text
