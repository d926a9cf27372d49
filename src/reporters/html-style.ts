/** The look of the page. Colours keep a contrast of 4.5 to 1 in both schemes; what a colour says, a word or a pattern says too. */
export const pageStyle = `
:root{color-scheme:light dark;--paper:#fff;--card:#f6f7f9;--ink:#1b1f24;--dim:#57606a;--edge:#c8ced6;--link:#0550ae;
--good:#116329;--good-soft:#dafbe1;--bad:#a40e26;--bad-soft:#ffe1e1;--warn:#7d4e00;--warn-soft:#fff3c4;--ask:#6639ba;--ask-soft:#f0e7ff;--note:#0550ae;--note-soft:#ddf4ff;--fill:#218bff}
@media (prefers-color-scheme:dark){:root{--paper:#0d1117;--card:#161b22;--ink:#e6edf3;--dim:#9aa6b2;--edge:#3a424c;--link:#79c0ff;
--good:#7ee787;--good-soft:#12321d;--bad:#ff9d96;--bad-soft:#45161a;--warn:#f2cc60;--warn-soft:#3a2d0a;--ask:#d2b3ff;--ask-soft:#2f1f4d;--note:#a5d6ff;--note-soft:#0c2d55;--fill:#388bfd}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
header,nav,main{max-width:72rem;margin:0 auto;padding:0 1rem}
header{padding-top:1.5rem;border-top:.5rem solid var(--edge)}
header.passes{border-color:var(--good)}header.error{border-color:var(--bad)}header.unknown{border-color:var(--ask)}
h1{font-size:1.5rem;margin:0 0 .5rem;overflow-wrap:anywhere}h2{font-size:1.25rem;margin:2rem 0 .75rem;border-bottom:1px solid var(--edge)}
h3{font-size:1rem;margin:0 0 .5rem;overflow-wrap:anywhere}
p{margin:.35rem 0;overflow-wrap:anywhere}
a{color:var(--link)}a:focus-visible,summary:focus-visible,[tabindex]:focus-visible{outline:3px solid var(--link);outline-offset:2px}
.skip{position:absolute;left:-100vw;top:0;background:var(--paper);padding:.5rem}.skip:focus{left:0}
nav ul,.legend,.plain,.timeline{list-style:none;padding:0;margin:.5rem 0}
nav ul,.legend{display:flex;flex-wrap:wrap;gap:.35rem 1rem}
.plain li,.timeline li{margin:.6rem 0;overflow-wrap:anywhere}
.dim{color:var(--dim);font-weight:400}
code{font-family:ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace;font-size:.9em;overflow-wrap:anywhere}
pre{background:var(--card);border:1px solid var(--edge);border-radius:.4rem;padding:.6rem .8rem;margin:.5rem 0;overflow-x:auto}
pre code{overflow-wrap:normal;white-space:pre}
.card{background:var(--card);border:1px solid var(--edge);border-left:.35rem solid var(--edge);border-radius:.4rem;padding:.8rem 1rem;margin:.8rem 0}
.card.error,.card.fails{border-left-color:var(--bad)}.card.warning,.card.at-risk{border-left-color:var(--warn)}.card.unknown{border-left-color:var(--ask)}.card.passes{border-left-color:var(--good)}.card.info{border-left-color:var(--note)}
.badge{display:inline-block;border-radius:1rem;padding:0 .6rem;font-size:.85rem;font-weight:600;border:1px solid currentColor;white-space:nowrap}
.badge.passes,.badge.whole{color:var(--good);background:var(--good-soft)}.badge.error,.badge.fails,.badge.missing{color:var(--bad);background:var(--bad-soft)}
.badge.warning,.badge.at-risk,.badge.cut{color:var(--warn);background:var(--warn-soft)}.badge.unknown,.badge.unproved{color:var(--ask);background:var(--ask-soft)}.badge.info{color:var(--note);background:var(--note-soft)}
.remedy::before{content:"→ ";font-weight:700}
.against{margin:.5rem 0}.against p{font-size:.9rem}
.bar{position:relative;display:flex;height:1rem;background:var(--paper);border:1px solid var(--edge);border-radius:.2rem}
.taken{background:var(--fill)}.beyond{background:repeating-linear-gradient(45deg,var(--bad) 0 4px,var(--bad-soft) 4px 8px)}
.limit{position:absolute;top:-.25rem;bottom:-.25rem;width:3px;margin-left:-2px;background:var(--ink)}
.scroll{overflow-x:auto;margin:.5rem 0}
table{border-collapse:collapse;width:100%;font-size:.9rem}th,td{text-align:left;vertical-align:top;padding:.3rem .6rem;border-bottom:1px solid var(--edge)}
th[scope=row]{font-weight:400}
.map{display:flex;flex-wrap:wrap;gap:2px;margin:.5rem 0}
.tile{flex:1 0 12px;height:1.4rem;border:1px solid var(--edge);border-radius:2px}
.tile.whole{background:var(--good)}.tile.missing{background:repeating-linear-gradient(45deg,var(--bad) 0 3px,var(--bad-soft) 3px 7px)}
.tile.cut{background:linear-gradient(90deg,var(--warn) var(--there),transparent var(--there)),repeating-linear-gradient(45deg,var(--bad) 0 3px,var(--bad-soft) 3px 7px)}
.tile.unproved{background:repeating-linear-gradient(0deg,var(--ask-soft) 0 4px,var(--ask) 4px 5px)}
.lane{position:relative;height:1rem;background:var(--card);border:1px solid var(--edge);border-radius:.2rem;overflow:hidden}
.ran{position:absolute;top:0;bottom:0;display:block}.ran.passes{background:var(--good)}.ran.error{background:var(--bad)}
.reused{display:block;height:100%;background:repeating-linear-gradient(45deg,transparent 0 4px,var(--paper) 4px 6px)}
summary{cursor:pointer;padding:.35rem 0;overflow-wrap:anywhere}
@media print{nav,.skip{display:none}}
`.trim()
