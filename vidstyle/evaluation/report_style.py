"""The report page's style sheet: light and dark, wide and narrow, no fonts from elsewhere."""

CSS = """
:root{color-scheme:light dark;--paper:#fbfaf8;--card:#fff;--ink:#1d1f23;--soft:#5c616b;--rule:#e3e0da;
--source:#8b8f97;--alone:#d9720b;--steady:#2457d6;--good:#1a7f4b;--bad:#c0362c;--allowed:#1a7f4b1c;
--b0:#143a8c;--b1:#2f6fdb;--b2:#5aa9e6;--b3:#8fd0d8}
@media(prefers-color-scheme:dark){:root{--paper:#14161a;--card:#1c1f25;--ink:#e9e9ec;--soft:#a0a5b0;--rule:#31353d;
--source:#9aa0ab;--alone:#f59e42;--steady:#82a8ff;--good:#4cc38a;--bad:#ff8379;--allowed:#4cc38a22;
--b0:#c5d5ff;--b1:#82a8ff;--b2:#4f86e8;--b3:#39a0a8}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);line-height:1.5;
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
main{max-width:1160px;margin:0 auto;padding:40px 24px 72px}
h1{font-size:clamp(1.6rem,4vw,2.3rem);line-height:1.15;margin:0 0 8px;letter-spacing:-.02em;overflow-wrap:anywhere}
h2{font-size:1.3rem;margin:56px 0 6px;letter-spacing:-.01em}h3{font-size:1rem;margin:0}
p{margin:0}.lead,.note{color:var(--soft)}.note{max-width:72ch;margin-bottom:18px}
.lead,.note{overflow-wrap:anywhere}.lead span+span::before{content:"·";margin:0 .5em}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(200px,1fr));gap:14px;margin-top:28px}
.tile,.chart,.moment,.scroll,.slice{background:var(--card);border:1px solid var(--rule);border-radius:12px}
.tile{padding:16px 18px}.tile b{display:block;font-size:1.75rem;line-height:1.25;letter-spacing:-.02em;
font-variant-numeric:tabular-nums}.tile small{color:var(--soft);display:block}
.tile .verdict{font-size:.8rem;font-weight:600;text-transform:uppercase;letter-spacing:.06em}
.pass{color:var(--good)}.fail{color:var(--bad)}.open{color:var(--soft)}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:10px 16px;text-align:right;border-top:1px solid var(--rule);white-space:nowrap}
tr:first-child th{border-top:0;color:var(--soft);font-weight:500;font-size:.88rem}
th:first-child,td:first-child{text-align:left;font-weight:400}
td.main{font-weight:650}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,480px),1fr));gap:16px}
figure{margin:0}.chart{padding:18px 20px 14px}
figcaption p{color:var(--soft);font-size:.88rem}.legend{display:flex;flex-wrap:wrap;gap:2px 16px;margin-top:6px;
font-size:.85rem}.key{display:inline-flex;align-items:center;gap:6px;color:var(--ink)}
.key::before{content:"";width:16px;height:3px;border-radius:2px;background:var(--c)}
.plot{display:grid;grid-template-columns:44px 1fr;grid-template-rows:200px 24px;margin-top:14px}
.y,.x{position:relative;font-size:.75rem;color:var(--soft);font-variant-numeric:tabular-nums}
.y span{position:absolute;right:8px;transform:translateY(-50%)}
.x{grid-column:2}.x span{position:absolute;top:4px;transform:translateX(-50%);white-space:nowrap}
.area{position:relative}.area svg{position:absolute;inset:0;width:100%;height:100%;overflow:visible}
.area svg *{vector-effect:non-scaling-stroke}
.grid{stroke:var(--rule);stroke-width:1}.cut{stroke:var(--soft);stroke-width:1;stroke-dasharray:3 4}
.curve{fill:none;stroke:var(--c);stroke-width:1.7;stroke-linejoin:round}.allowed{fill:var(--allowed)}
.source{--c:var(--source)}.alone{--c:var(--alone)}.steady{--c:var(--steady)}
.b0{--c:var(--b0)}.b1{--c:var(--b1)}.b2{--c:var(--b2)}.b3{--c:var(--b3)}
.mark{position:absolute;top:-9px;z-index:1;transform:translateX(-50%);width:18px;height:18px;border-radius:9px;
background:var(--ink);color:var(--card);font-size:.7rem;font-weight:600;text-align:center;line-height:18px}
.slices{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,320px),1fr));gap:16px}
.slice{overflow:hidden}.slice figcaption{padding:10px 14px;font-weight:600;font-size:.92rem}
.slice img{display:block;width:100%;height:380px;image-rendering:pixelated}
.moment{padding:16px 18px 18px;margin-bottom:16px}.moment header{display:flex;flex-wrap:wrap;gap:2px 14px;
align-items:center;margin-bottom:12px}.moment header .mark{position:static;transform:none}
.moment header span:last-child{color:var(--soft);font-size:.88rem}
.trio{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,260px),1fr));gap:12px}
.trio img{display:block;width:100%;border-radius:6px}.trio figcaption{font-size:.82rem;color:var(--soft);margin-top:4px}
dl{display:grid;grid-template-columns:minmax(9em,max-content) 1fr;gap:10px 24px;margin:0}dt{font-weight:600}
dd{margin:0;color:var(--soft)}code{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:.92em;
color:var(--ink)}
@media(max-width:640px){main{padding:28px 16px 56px}h2{margin-top:42px}.tiles{grid-template-columns:1fr 1fr;gap:10px}
.tile{padding:12px 14px}.tile b{font-size:1.4rem}
.chart{padding:14px 12px 10px}.plot{grid-template-columns:40px 1fr;grid-template-rows:170px 24px}
dl{grid-template-columns:1fr;gap:2px}dd{margin-bottom:12px}th,td{padding:8px 6px}
table{font-size:.88rem}th:first-child,td:first-child{padding-left:12px}
th:last-child,td:last-child{padding-right:12px}td{white-space:normal}td:first-child{min-width:7em}
.tile:nth-child(odd):last-child{grid-column:1/-1}.slice img{height:260px}}
"""
