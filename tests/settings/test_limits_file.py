"""A site's limits file that cannot be used stops the start; the error names its setting."""

from pathlib import Path

import pytest

from cds_service.catalogue.topics import chosen_topics
from cds_service.errors import StartupError
from cds_service.settings import Settings


@pytest.mark.parametrize("text", [None, "[", '["magnesium.low"]\nvalue = "75"\nunit = "mmol/L"'])
def test_the_setting_is_named(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "limits.toml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(StartupError, match=r"^CDS_LIMITS: .*limits\.toml") as refused:
        chosen_topics(Settings(limits=str(file)))
    assert refused.value.fix
