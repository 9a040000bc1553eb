/** The style of the page. Colours are variables: light, dark by the reader's system, and either by the button. */
export const STYLE = `
:root{color-scheme:light;--ink:#1b2330;--dim:#5b6675;--paper:#fff;--panel:#f4f6f9;--line:#d5dbe3;--link:#0b57d0;
--used:#2f6fb7;--free:#bcd6f0;--back:#2e9e5b;--unknown:#a9b1bc;--bad:#c02b2b;--good:#1d7a42}
@media(prefers-color-scheme:dark){:root:not([data-theme=light]){color-scheme:dark;--ink:#e4e9f0;--dim:#9aa6b5;--paper:#12161c;
--panel:#1b212a;--line:#323b47;--link:#8ab4f8;--used:#4d92e0;--free:#27405c;--back:#3fbf75;--unknown:#5d6876;--bad:#ff7b72;--good:#5fd38d}}
:root[data-theme=dark]{color-scheme:dark;--ink:#e4e9f0;--dim:#9aa6b5;--paper:#12161c;--panel:#1b212a;--line:#323b47;--link:#8ab4f8;
--used:#4d92e0;--free:#27405c;--back:#3fbf75;--unknown:#5d6876;--bad:#ff7b72;--good:#5fd38d}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.45 system-ui,sans-serif}
main,header,footer{max-width:1400px;margin:0 auto;padding:0 20px}
h1{font-size:1.5rem;margin:18px 0 2px}h2{font-size:1.15rem;margin:0}h3{font-size:.95rem;margin:0;overflow-wrap:anywhere}
a{color:var(--link)}.dim{color:var(--dim)}.bad{color:var(--bad)}.good{color:var(--good)}
.skip{position:absolute;left:-999px}.skip:focus{left:8px;top:8px;background:var(--paper);padding:6px;z-index:2}
nav{display:flex;flex-wrap:wrap;gap:14px;padding:8px 0;align-items:center}
nav button{margin-left:auto}
button,input{font:inherit;color:inherit;background:var(--panel);border:1px solid var(--line);border-radius:6px;padding:4px 10px}
:focus-visible{outline:3px solid var(--link);outline-offset:1px}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(210px,1fr));gap:10px;margin:10px 0 18px;padding:0}
.cards div{background:var(--panel);border:1px solid var(--line);border-radius:8px;padding:8px 12px}
.cards dt{color:var(--dim);font-size:.85rem}.cards dd{margin:0;font-weight:600;overflow-wrap:anywhere}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(560px,100%),1fr));gap:14px}
figure{margin:0;background:var(--panel);border:1px solid var(--line);border-radius:8px;padding:12px}
figcaption{font-weight:600;margin-bottom:6px}
.bar{display:grid;grid-template-columns:150px 1fr 130px;gap:10px;align-items:center;margin:5px 0;font-size:.88rem}
.bar span{overflow-wrap:anywhere;line-height:1.2}
svg{display:block;width:100%;height:18px;border-radius:3px}
.u{fill:var(--used)}.f{fill:var(--free)}.x{fill:var(--unknown)}.r{fill:var(--back)}.g{fill:var(--panel);stroke:var(--line)}
.m{fill:var(--bad)}.s{fill:var(--ink)}
section{margin:26px 0}
.head{display:flex;flex-wrap:wrap;gap:12px;align-items:baseline;margin-bottom:8px}
.head input{margin-left:auto;width:min(320px,100%)}
.scroll{overflow-x:auto;border:1px solid var(--line);border-radius:8px}
.tall{max-height:70vh;overflow-y:auto}
table{border-collapse:collapse;width:100%;font-size:.88rem}
th,td{padding:5px 9px;text-align:left;border-bottom:1px solid var(--line);white-space:nowrap}
td.wrap{white-space:normal;overflow-wrap:anywhere;min-width:280px;max-width:480px}
th{position:sticky;top:0;background:var(--panel)}
th button{border:0;background:none;padding:0;font-weight:600;cursor:pointer}
th[aria-sort=ascending] button::after{content:" \\25b2"}th[aria-sort=descending] button::after{content:" \\25bc"}
.n{text-align:right;font-variant-numeric:tabular-nums}
@media(max-width:600px){.cards{grid-template-columns:1fr 1fr}.bar{grid-template-columns:1fr auto;gap:0 10px}.bar svg{grid-row:2;grid-column:1/-1}}
[hidden]{display:none!important}
.charts .key{grid-column:1/-1;margin:0}
.key{display:flex;flex-wrap:wrap;gap:14px;font-size:.88rem;margin:0 0 10px;padding:0;list-style:none}
.key svg{width:22px;height:12px;display:inline-block;vertical-align:-1px;margin-right:5px}
article{border:1px solid var(--line);border-radius:8px;padding:10px 12px;margin:8px 0;content-visibility:auto;contain-intrinsic-size:auto 150px}
article p{margin:2px 0 6px;font-size:.88rem;color:var(--dim)}
article .map{margin:6px 0 2px;color:var(--ink);font-size:.82rem}article svg{height:20px}i{font-style:normal}
footer{color:var(--dim);padding-bottom:30px;font-size:.85rem}
@page{size:landscape;margin:12mm}
@media print{:root,:root[data-theme=dark],:root:not([data-theme=light]){color-scheme:light;--ink:#000;--dim:#444;--paper:#fff;--panel:#fff;--line:#999;
--used:#2f6fb7;--free:#bcd6f0;--back:#2e9e5b;--unknown:#a9b1bc;--bad:#a00;--good:#060}
nav,input,.skip{display:none!important}.scroll{overflow:visible;max-height:none;border:0}table{font-size:.7rem}th{position:static}
th,td{white-space:normal;padding:2px 4px}td.n{white-space:nowrap}td.wrap{min-width:0}article,tr,figure{break-inside:avoid}article{content-visibility:visible}
svg,path{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
`;
