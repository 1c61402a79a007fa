"""The dashboard for Grafana 9 and later, made of panels.yaml: `python packaging/monitoring/dashboard.py` writes it."""

import json
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
Json = dict[str, Any]
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
ME = 'instance=~"$instance"'
WIDTH = 24
WIDTHS = {"stat": 4, "timeseries": 8, "table": 8}


def dashboard() -> Json:
    panels: list[Json] = []
    top = 0
    for title, row in yaml.safe_load((HERE / "panels.yaml").read_text("utf-8")).items():
        panels.append(_row(len(panels) + 1, title, top))
        top, left, height = top + 1, 0, 0
        for each in row:
            tall = 4 if each["kind"] == "stat" else 8
            width = 12 if each.get("wide") else WIDTHS[each["kind"]]
            if left + width > WIDTH:
                top, left, height = top + height, 0, 0
            place = {"h": tall, "w": width, "x": left, "y": top}
            panels.append(_panel(len(panels) + 1, each, place))
            left, height = left + width, max(height, tall)
        top += height
    return {
        "uid": "floorgate",
        "title": "Floorgate",
        "description": "Gateways: lines and devices, quality, the store and what sinks are owed, the process.",
        "tags": ["floorgate"],
        "schemaVersion": 37,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "1m",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": [_source(), _instance()]},
        "annotations": {"list": [_starts()]},
        "links": [],
        "panels": panels,
    }


def text() -> str:
    return json.dumps(dashboard(), indent=1, ensure_ascii=False) + "\n"


def _row(number: int, title: str, top: int) -> Json:
    place = {"h": 1, "w": WIDTH, "x": 0, "y": top}
    return {"id": number, "type": "row", "title": title, "collapsed": False, "gridPos": place, "panels": []}


def _panel(number: int, each: Json, place: Json) -> Json:
    targets = [
        {
            "refId": chr(ord("A") + at),
            "datasource": SOURCE,
            "expr": expression.replace("{M", f"{{{ME}"),
            "legendFormat": legend,
            **({"instant": True, "format": "table"} if each["kind"] == "table" else {}),
        }
        for at, (expression, legend) in enumerate(each["queries"])
    ]
    return {
        "id": number,
        "type": each["kind"],
        "title": each["title"],
        "description": each["what"],
        "datasource": SOURCE,
        "gridPos": place,
        "targets": targets,
        "fieldConfig": {"defaults": {"unit": each["unit"], **_look(each)}, "overrides": []},
        "options": _options(each),
    }


def _look(each: Json) -> Json:
    if each["kind"] == "stat":
        steps: list[Json] = [{"color": "green", "value": None}]
        if "red" in each:
            steps.append({"color": "red", "value": each["red"]})
        elif "red_below" in each:
            steps = [{"color": "red", "value": None}, {"color": "green", "value": each["red_below"]}]
        return {"thresholds": {"mode": "absolute", "steps": steps}, "color": {"mode": "thresholds"}}
    if each["kind"] == "timeseries":
        stacked = bool(each.get("stacked"))
        stacking = {"mode": "normal" if stacked else "none", "group": "A"}
        custom = {"drawStyle": "line", "fillOpacity": 30 if stacked else 5, "showPoints": "never", "stacking": stacking}
        return {"custom": custom}
    return {}


def _options(each: Json) -> Json:
    if each["kind"] == "stat":
        text = "name" if each["title"] == "Version" else "auto"
        calcs = {"calcs": ["lastNotNull"], "fields": "", "values": False}
        look = {"colorMode": "value", "graphMode": "none", "justifyMode": "auto", "orientation": "auto"}
        return {"reduceOptions": calcs, "textMode": text, **look}
    if each["kind"] == "timeseries":
        legend = {"displayMode": "list", "placement": "bottom", "calcs": [], "showLegend": True}
        return {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}
    return {"showHeader": True}


def _source() -> Json:
    kind = {"type": "datasource", "query": "prometheus"}
    return {"name": "datasource", "label": "Data source", **kind, "current": {}, "hide": 0}


def _instance() -> Json:
    query = "label_values(floorgate_info, instance)"
    return {
        "name": "instance",
        "label": "Gateway",
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": query, "refId": "instance"},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "current": {},
        "hide": 0,
    }


def _starts() -> Json:
    """Where an agent started."""
    return {
        "name": "Starts",
        "datasource": SOURCE,
        "enable": True,
        "iconColor": "blue",
        "expr": f"changes(process_start_time_seconds{{{ME}}}[2m]) > 0",
    }


if __name__ == "__main__":
    (HERE / "dashboard.json").write_text(text(), "utf-8")
