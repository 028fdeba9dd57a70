"""The look of the report: one style sheet, inside the file, for screens, phones and paper."""

CSS = """
:root { --ink:#1f2933; --muted:#66727f; --line:#e4e8ec; --soft:#f6f8fa; --accent:#1f6fb2; }
* { box-sizing: border-box; }
body { margin:0; background:#fff; color:var(--ink); font:16px/1.55 Inter,"Segoe UI",
  "Helvetica Neue",Arial,sans-serif; -webkit-text-size-adjust:100%; }
main { max-width: 960px; margin: 0 auto; padding: 40px 24px 64px; }
header { border-bottom: 1px solid var(--line); padding-bottom: 20px; }
.kicker { margin:0; color:var(--accent); font-weight:600; font-size:13px; letter-spacing:.06em;
  text-transform:uppercase; }
h1 { margin:4px 0 6px; font-size:30px; line-height:1.2; letter-spacing:-.01em;
  overflow-wrap:anywhere; }
.lead { margin:0; color:var(--muted); overflow-wrap:anywhere; }
h2 { margin:40px 0 6px; font-size:20px; letter-spacing:-.005em; }
h2 + p { margin:0 0 14px; color:var(--muted); max-width:78ch; }
.cards { display:grid; grid-template-columns:repeat(auto-fit,minmax(135px,1fr)); gap:12px;
  margin:24px 0 0; }
.card { background:var(--soft); border-radius:10px; padding:14px 16px; }
.card b { display:block; font-size:25px; line-height:1.2; font-weight:650;
  font-variant-numeric:tabular-nums; }
.card span { display:block; margin-top:3px; color:var(--muted); font-size:13.5px;
  line-height:1.35; }
figure { margin:8px 0 0; }
figure svg { display:block; width:100%; height:auto; }
.two { display:grid; grid-template-columns:1fr 1fr; gap:16px; }
.two > figure { min-width:0; }
h3 { margin:14px 0 0; font-size:15px; }
.scroll { overflow-x:auto; }
table { border-collapse:collapse; width:100%; font-size:15px;
  font-variant-numeric:tabular-nums; }
th, td { padding:7px 12px 7px 0; border-bottom:1px solid var(--line); text-align:left;
  vertical-align:top; }
th { font-weight:600; font-size:13px; color:var(--muted); }
td.n, th.n { text-align:right; padding-right:0; padding-left:14px; white-space:nowrap; }
table.keys td:first-child { color:var(--muted); white-space:nowrap; width:1%;
  padding-right:24px; }
table.keys td:last-child { overflow-wrap:anywhere; }
table.confusion { width:auto; }
table.confusion td.n { border:2px solid #fff; padding:10px 16px; min-width:84px; }
table.confusion th { padding-right:14px; }
ul.notes { margin:8px 0 0; padding-left:20px; }
.warn { border-left:3px solid #d9662b; background:#fdf5f0; padding:10px 14px; margin:20px 0 0;
  border-radius:0 8px 8px 0; }
code { font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace; font-size:.92em; }
footer { margin-top:48px; padding-top:14px; border-top:1px solid var(--line);
  color:var(--muted); font-size:13.5px; }
@media (max-width:640px) { main { padding:24px 16px 40px; } h1 { font-size:24px; }
  .two { grid-template-columns:1fr; } .wide svg { min-width:620px; } .wide { overflow-x:auto; }
  .cards { grid-template-columns:1fr 1fr; } .card b { font-size:21px; }
  table.keys td:first-child { white-space:normal; width:32%; padding-right:12px; } }
@media print { main { max-width:none; padding:0; } body { font-size:11pt; }
  h2 { margin-top:22pt; break-after:avoid; } figure, table, .card { break-inside:avoid; }
  .card, .confusion td { print-color-adjust:exact; -webkit-print-color-adjust:exact; } }
"""
