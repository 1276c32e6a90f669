/** The look of an evaluation's report: follows the system's theme, prints. */
export const HTML_STYLE = `:root{color-scheme:light dark;--page:#f5f7f5;--card:#fff;--ink:#15201b;--muted:#5d6963;--line:#e2e7e3;--good:#0a5a3f;--bad:#b3261e;--warn:#fdf1dd}
@media (prefers-color-scheme:dark){:root{--page:#0f1412;--card:#171d1a;--ink:#e6ede9;--muted:#97a49d;--line:#28322d;--good:#7fe0b8;--bad:#ff9086;--warn:#35290f}}
*{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--ink);font:14px/1.5 system-ui,"Noto Sans CJK SC","PingFang SC","Microsoft YaHei",sans-serif;font-variant-numeric:tabular-nums}
main{max-width:1240px;margin:0 auto;padding:24px 16px 64px}h1{font-size:24px;margin:0 0 4px}h2{font-size:18px;margin:36px 0 8px;overflow-wrap:anywhere}h3{font-size:14px;margin:20px 0 6px}h4{font-size:13px;margin:0;overflow-wrap:anywhere}
p{margin:4px 0}.muted,.same,.different{color:var(--muted)}.better{color:var(--good)}.worse{color:var(--bad)}.note{background:var(--warn);border-radius:8px;padding:8px 12px;margin:8px 0}
.scroll{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:10px}table{border-collapse:collapse;width:100%}
th,td{padding:5px 12px;text-align:right;border-bottom:1px solid var(--line);vertical-align:top;white-space:nowrap}th:first-child{text-align:left;font-weight:500}thead th{color:var(--muted);font-weight:600}.group{padding-top:16px;color:var(--muted)}
.sample{border-top:1px solid var(--line);padding-top:6px;break-inside:avoid}.sides{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,280px),1fr));gap:14px}
pre{margin:6px 0;padding:8px 10px;background:var(--card);border:1px solid var(--line);border-radius:8px;white-space:pre-wrap;overflow-wrap:anywhere;font:12px/1.5 ui-monospace,Menlo,Consolas,monospace}
figure{position:relative;margin:6px 0}img{display:block;width:100%}svg{position:absolute;inset:0;width:100%;height:100%}rect{fill:none;stroke-width:2;vector-effect:non-scaling-stroke}.true{stroke:#ff8a3d;stroke-dasharray:5 4}.said{stroke:#0a7a54}
@media print{:root{--page:#fff;--card:#fff;--ink:#000;--muted:#444;--line:#ccc}}`;
