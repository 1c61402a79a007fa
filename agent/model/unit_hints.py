"""What somebody may have meant whose unit is not a UCUM code."""

import re
from difflib import get_close_matches
from unicodedata import normalize

from agent.model.units import LONGEST, is_unit

_COMMON = """
V kV mV A kA mA W kW MW kWh MWh Wh var kvar varh kvarh VA kVA VAh kVAh Hz kHz MHz Ohm kOhm MOhm mOhm Ah S uS uS/cm
Cel [degF] K bar mbar kPa MPa Pa hPa [psi] m[H2O] mm[H2O] mm[Hg] m mm um cm km m2 m3 L mL m3/h m3/min m3/s L/s L/min
L/h Nm3 Nm3/h Nm3/min NL/min t kg g mg t/h kg/h kg/s kg/m3 g/m3 mg/m3 mg/L ug/m3 J kJ MJ GJ kcal kgce tce s ms min h d
r/min 1/min m/s mm/s m/min km/h m/s2 N kN N.m % [ppm] [ppb] [pH] lx lm deg rad dB[SPL] dB[mW] dB bit By kBy MBy
[in_i] [ft_i] [gal_us] [gal_us]/min [cft_i] [cft_i]/min [lb_av] [HP] W/m2 kW/m2 W/(m2.K) g/(kW.h) kWh/m2 {pcs}
"""
_SPELLINGS = """
Cel: 摄氏 °c degc deg_c deg.c celsius 摄氏度
[degF]: °f degf deg_f deg.f fahrenheit
K: kelvin δ°c δk δt
deg: grad ° degree degrees
kWh: 度 千瓦时
MWh: 兆瓦时
kW: 千瓦
MW: 兆瓦
W: 瓦 watt watts
kvar: 千乏
kvarh: 千乏时
var: 乏 vars
kVA: 千伏安
V: 伏特 伏 volt volts
kV: 千伏
A: 安培 安 amp amps ampere
Hz: 赫兹 hertz
Ohm: 欧姆 ohms ω
kOhm: kω
MOhm: mω
t: 吨 ton tons tonne tonnes
kg: 公斤 千克 kgs
g: 克
m3: 立方 立方米 方 cbm cum
L: 升 ltr liter liters litre litres
mL: 毫升
m2: 平方米
m: 米 meter metre
mm: 毫米
cm: 厘米
kPa: 千帕
MPa: 兆帕
Pa: 帕
kgf/cm2: kg/cm2 kp/cm2 at
kg{CO2}: kgco2 kgco2e kgco2eq
t{CO2}: tco2 tco2e tco2eq
W.s: ws
kW.s: kws
har: ha hektar 公顷
10*4.kWh: 万千瓦时 万度
kgf: kp 公斤力
J: 焦耳
kJ: 千焦
MJ: 兆焦
GJ: 吉焦
kcal: 大卡 千卡
tce: 吨标准煤 吨标煤
kgce: 千克标准煤 公斤标准煤 千克标煤
s: sek sekunde sekunden 秒 sec secs second seconds
min: 分 分钟 mins minute minutes
h: std std. stunde stunden 小时 时 hr hrs hour hours
d: tag tage day days 天 日 day days
r: 转 rev revs
r/min: rpm
bar: bars barg
[psi]: psi psig
m[Hg]: mhg
m[H2O]: mws mh2o
mm[H2O]: mmws mmh2o
cm[H2O]: cmh2o
mm[Hg]: mmhg
[in_i]: zoll inch inches in
[ft_i]: ft foot feet
[lb_av]: lb lbs
[gal_us]: gal gallon
[gal_us]/min: gpm
[cft_i]: cf
[cft_i]/min: cfm scfm
L/min: lpm
NL/min: slpm
m3/h: cmh
km/h: kph kmh
[mi_i]/h: mph
[HP]: hp
73549875.10*-5.W: ps
[Btu_IT]: btu
N.m: nm
[ppm]: ppm
[ppb]: ppb
[pH]: ph
%: 百分比 %rf percent pct %rh rh
lx: lux
dB[SPL]: dba db(a)
dB[mW]: dbm
{pcs}: stk stk. stück st 只 片 箱 pcs pc piece pieces 件 个 台
{count}: 次 count counts times
{cycles}: cycle cycles
{NTU}: ntu
TBy: tb
kbit/s: kbps
Mbit/s: mbps
By: byte bytes
kBy: kb
MBy: mb
GBy: gb
bit: bits
1: cosφ cosphi λ none - pf cos
Nm3: 标立方米 标准立方米 m3(n) nm3 ncm 标方 标立方
"""
COMMON = tuple(_COMMON.split())
_LOWER = {code.lower(): code for code in reversed(COMMON)}
for _line in _SPELLINGS.split("\n")[1:-1]:
    _code, _, _names = _line.partition(": ")
    _LOWER.update(dict.fromkeys(_names.split(), _code))
_DOTS = str.maketrans({"·": ".", "⋅": ".", "•": ".", "∙": ".", "*": ".", "\u00d7": ".", "^": "", " ": "", "μ": "u"})
_MARK = re.compile(r"([./()]|\{[^{}]*\})")
_POWER = re.compile(r"(.*?[^0-9+-])([+-]?[0-9]+)")
_GAS = re.compile("sm3|scm|标况", re.IGNORECASE)


def hint(code: str) -> str:
    """What to do about a unit that `parse` refuses."""
    if _GAS.match(code):
        return "at 0 °C it is Nm3; otherwise say it in braces, such as m3{20Cel}, for the standards differ"
    found = meant(code)
    return f"did you mean {found!r}?" if found else "a UCUM code, such as kW, m3/h, Cel or %; {pcs} for what is counted"


def spelt(code: str) -> str:
    """The code, or the one that this is another spelling of; empty when it is none."""
    if len(code) > LONGEST:
        return ""
    plain = normalize("NFKC", code).translate(_DOTS)
    parts = "".join(_part(part) for part in _MARK.split(plain))
    guesses = (code, _LOWER.get(plain.lower(), plain), parts, parts.replace("Cel", "K").replace("[degF]", "[degR]"))
    return next(filter(is_unit, guesses), "")


def meant(code: str) -> str:
    """The code that is probably meant, or nothing."""
    if found := spelt(code):
        return found
    near = get_close_matches(code[:LONGEST].lower(), [common.lower() for common in COMMON], n=1, cutoff=0.6)
    return _LOWER[near[0]] if near else ""


def _part(text: str) -> str:
    """One factor of a product in its right spelling, as far as it is known."""
    if is_unit(text):
        return text
    if found := _LOWER.get(text.lower()):
        return found
    power = _POWER.fullmatch(text)
    return f"{_LOWER.get(power[1].lower(), power[1])}{power[2]}" if power else text
