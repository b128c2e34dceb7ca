"""Settings are read from a config file with what it says of them."""

from scangen_bundle.settings.entries import read_settings

TEXT = """# Trains.
#   python -m monai.bundle run training

# --- where ---
folder: $@root + '/a#b'  # path; of all
# Two lines that
# explain it.
size: 64  # 1 or more
long: $sum([1,
  2])  # behind
tiling:  # of a slide
  overlap: 0.0  # 0 to 1
  seed: '@seed'
  names: [a, b]
  deep:
    deeper: 1
steps:
  - $print('# no comment')
+added: null
"""


def test_values_and_comments_are_found_wherever_a_value_ends():
    settings = {setting.name: setting for setting in read_settings(TEXT)}
    assert settings["folder"].written == "$@root + '/a#b'"
    assert settings["folder"].comment == "path; of all"
    assert settings["folder"].above == ("# --- where ---",)
    assert settings["size"].value == 64
    assert settings["size"].above == ("# Two lines that", "# explain it.")
    assert settings["long"].comment == "behind"
    assert settings["tiling"].comment == "of a slide"
    assert settings["tiling"].written == ""
    assert settings["tiling#overlap"].comment == "0 to 1"
    assert settings["steps"].comment == ""
    assert settings["added"].value is None


def test_of_a_mapping_the_plain_values_are_settings():
    names = [setting.name for setting in read_settings(TEXT)]
    assert [name for name in names if name.startswith("tiling#")] == ["tiling#overlap", "tiling#names"]


def test_the_comment_that_a_file_begins_with_belongs_to_no_setting():
    (setting,) = read_settings("# Changes one thing.\nsize: 3\n")
    assert setting.above == ()
    assert read_settings("# nothing\n") == []
