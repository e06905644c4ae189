"""Makes .venv and installs everything but torch. Does nothing when that is already so."""

from environment import ROOT, Environment, digest, locked, run, say

AGAIN = "make setup-light"
LIGHT = ("gateway", "worker", "dev")
TRY_LIGHT = "import alembic, cryptography.x509, fastapi, httpx2, hypothesis, sklearn.metrics, sqlalchemy.orm, uvicorn"


def main() -> None:
    environment = Environment(ROOT / ".venv", AGAIN)
    packages = digest(*map(locked, LIGHT))
    project = digest(ROOT / "pyproject.toml")
    if (environment.stamp("packages"), environment.stamp("project")) == (packages, project):
        return
    with environment.alone() as installer:
        if environment.stamp("packages") != packages:
            say("installing the packages of requirements/{gateway,worker,dev}.txt (300 MB, about a minute)")
            installer.install_locked(*LIGHT)
            environment.ask(TRY_LIGHT)
            environment.set_stamp("packages", packages)
        installer.install("--quiet", "--no-deps", "--no-build-isolation", "--editable", ROOT)
        environment.set_stamp("project", project)
    say("ready: .venv, everything but torch")


if __name__ == "__main__":
    run(main, AGAIN)
