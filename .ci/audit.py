"""Asks pip-audit about the installed dependencies and says how many it really could judge.

Usage: ``python .ci/audit.py PIP_AUDIT SITE_PACKAGES``.

pip-audit ends with status 0 and "no known vulnerabilities" also when its source knew none of
the packages. Here that is status 77: not audited. Status 1: a known vulnerability.
"""

from __future__ import annotations

import json
import subprocess
import sys

NOT_AUDITED = 77
SECONDS = 150


def main(pip_audit: str, site_packages: str) -> int:
    command = [pip_audit, "--progress-spinner", "off", "--skip-editable", "--format", "json"]
    try:
        ended = subprocess.run(
            [*command, "--path", site_packages],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        packages = json.loads(ended.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, json.JSONDecodeError, KeyError) as error:
        print(f"audit: the vulnerability data could not be reached ({type(error).__name__}).")
        return NOT_AUDITED
    judged = [package for package in packages if "skip_reason" not in package]
    affected = [package for package in judged if package["vulns"]]
    for package in affected:
        for flaw in package["vulns"]:
            fixed = ", ".join(flaw["fix_versions"]) or "no version yet"
            print(f"{package['name']} {package['version']}: {flaw['id']}, fixed in {fixed}")
    print(f"audit: {len(judged)} of {len(packages)} packages judged, {len(affected)} affected.")
    if affected:
        return 1
    if not judged:
        print("audit: the source of vulnerability data knew none of them: nothing was audited.")
        return NOT_AUDITED
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
