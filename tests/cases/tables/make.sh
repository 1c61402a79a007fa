#!/bin/sh
# Makes the tables of this folder anew, by a real LibreOffice Calc (Debian: libreoffice-calc-nogui). Run it from the root of the repository.
set -eu

here=tests/cases/tables
python=${PYTHON:-.venv/bin/python}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

calc() { # FORMAT FILE…: into $work
    format=$1
    shift
    soffice -env:UserInstallation="file://$work/profile" --headless --convert-to "$format" --outdir "$work" "$@" >/dev/null
}

csv() { # DELIMITER CHARSET NAME: the second sheet of points.fods; charsets are LibreOffice's: 76 UTF-8, 85 GB18030, 65535 UTF-16
    calc "csv:Text - txt - csv (StarCalc):$1,34,$2,1,,0,false,true,false,false,false,2" "$here/points.fods"
    mv "$work/points-点表.csv" "$here/$3"
}

calc "xlsx:Calc MS Excel 2007 XML" "$here/points.fods" "$here/traps.fods"
mv "$work/points.xlsx" "$work/traps.xlsx" "$here"
csv 44 76 points.csv
csv 59 76 points-semicolon.csv
csv 44 85 points-gbk.csv

# Tables that Floorgate exports, opened and saved anew
PYTHONPATH=. "$python" -m agent export janitza-umg -o "$work/resaved.xlsx" --lang-headers zh
PYTHONPATH=. "$python" -m agent export "$here/odd.yaml" -o "$work/odd.xlsx"
mkdir "$work/in"
mv "$work/resaved.xlsx" "$work/odd.xlsx" "$work/in"
calc "xlsx:Calc MS Excel 2007 XML" "$work/in/resaved.xlsx" "$work/in/odd.xlsx"
mv "$work/resaved.xlsx" "$work/odd.xlsx" "$here"
