"""The steps `wheel`, `bundle` and `onefile`: the Python packages, and Floorgate with a Python of its own."""

import shutil

from context import Context, Failure


def wheel(context: Context) -> None:
    """Wheel and sdist, the same bytes whoever builds them from one commit."""
    made = context.build / "wheel"
    shutil.rmtree(made, ignore_errors=True)
    context.run(context.python, "-m", "hatchling", "build", "-d", made)
    files = sorted(made.iterdir())
    if [each.name for each in files] != wheel_files(context):
        raise Failure(
            f"hatchling made {', '.join(each.name for each in files) or 'nothing'}", hint="look at pyproject.toml"
        )
    for each in files:
        context.publish(each)


def wheel_files(context: Context) -> list[str]:
    return [f"floorgate-{context.version}-py3-none-any.whl", f"floorgate-{context.version}.tar.gz"]
