/** An evaluation as one HTML file: no script, nothing loaded; pictures of the worst answers inside. */
import { IOU_THRESHOLDS } from '../objectives/evaluation/coco-matching.ts';
import type { Evaluation } from '../objectives/evaluation/evaluate.ts';
import { valueOf } from '../objectives/evaluation/evaluate.ts';
import { factsOf, type MetricGroup } from '../objectives/evaluation/metrics.ts';
import type { LabelledBox } from '../protocol/messages.ts';
import { escapeMarkup as e } from '../reports/markup.ts';
import { HTML_STYLE } from './html-style.ts';
import type { FigureRow, MeasuredSet } from './measure-set.ts';
import { EVALUATION_WORDS, type EvaluationWords } from './words.ts';
import { differenceText, formatFigure, verdictOf } from './words-of-values.ts';
import { worstFirst } from './worst.ts';

/** Worst samples that are shown. */
export const SHOWN_WORST = 12;
const POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";

/**
 * @param candidate whose worst answers are shown
 * @param pictures of samples by their position in the set, as data addresses
 * @param generated when
 */
export function evaluationHtml(set: MeasuredSet, candidate: number, pictures: ReadonlyMap<number, string>, generated: Date, language: 'en' | 'zh'): string {
  const words = EVALUATION_WORDS[language];
  return `<!doctype html>
<html lang="${words.lang}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${words.title}: ${e(set.names.join(', ').slice(0, 200))}</title>
<style>${HTML_STYLE}</style>
</head>
<body>
<main>
<h1>${words.title}</h1>
<p class="muted">${words.generated(generated.toISOString().slice(0, 19).replace('T', ' '))} ${words.samples(String(set.samples.length))}</p>
${remarks(set, words).map((text) => `<p class="note">${e(text)}</p>`).join('\n')}
<h2>${words.metrics}</h2>
${figures(set, words)}
${set.evaluations.map((evaluation, i) => details(evaluation, set.names[i], set.samples.length, words)).join('\n')}
<h2>${words.worst}: ${e(set.names[candidate])}</h2>
${worstFirst(set, candidate).slice(0, SHOWN_WORST).map((i) => sampleSection(set, i, pictures.get(i), words)).join('\n')}
</main>
</body>
</html>
`;
}

/** What is not as usual in the set, and how boxes are ranked. */
export function remarks({ evaluations, names }: MeasuredSet, words: EvaluationWords): string[] {
  const [{ counts, detection }] = evaluations;
  return [
    ...(counts.withoutTruth > 0 ? [words.withoutTruth(String(counts.withoutTruth))] : []),
    ...evaluations.flatMap((one, i) => (one.counts.unreadable > 0 ? [words.unreadable(names[i], String(one.counts.unreadable))] : [])),
    ...evaluations.flatMap((one, i) => (one.counts.onlyPredicted.length > 0 ? [words.onlyPredicted(names[i], one.counts.onlyPredicted.map(({ name, predictions }) => `${name || words.unnamed} (${predictions})`).join(', '))] : [])),
    ...(detection ? [words.scores] : []),
  ];
}

/** Rows of a metric group, in order. */
export function byGroup(rows: readonly FigureRow[]): { group: MetricGroup; rows: FigureRow[] }[] {
  const groups = new Map<MetricGroup, FigureRow[]>();
  for (const row of rows) {
    const { group } = factsOf(row.metric);
    groups.set(group, [...(groups.get(group) ?? []), row]);
  }
  return [...groups].map(([group, members]) => ({ group, rows: members }));
}

function figures({ names, rows }: MeasuredSet, words: EvaluationWords): string {
  const cell = ({ metric, values, intervals, differences }: FigureRow, i: number) => {
    const interval = intervals[i];
    const difference = differences[i];
    if (values[i] === null) return `<td class="muted">${words.nothing}</td>`;
    return `<td><b>${formatFigure(metric, values[i])}</b>${interval ? ` <span class="muted">${formatFigure(metric, interval.low)} … ${formatFigure(metric, interval.high)}</span>` : ''}${difference ? `<br><span class="${verdictOf(metric, difference)}">${differenceText(metric, difference, words)}</span>` : ''}</td>`;
  };
  const body = byGroup(rows).map(({ group, rows: members }) => `<tr><th class="group" colspan="${names.length + 1}">${words.groups[group]}</th></tr>${members.map((row) => `<tr><th scope="row">${words.names[row.metric]}</th>${names.map((_, i) => cell(row, i)).join('')}</tr>`).join('\n')}`);
  return `<div class="scroll"><table><thead><tr><th scope="col">${words.metric}</th>${names.map((name) => `<th scope="col">${e(name)}</th>`).join('')}</tr></thead><tbody>${body.join('\n')}</tbody></table></div>`;
}

function details({ detection, confusion }: Evaluation, name: string, samples: number, words: EvaluationWords): string {
  if (!detection || !confusion) return '';
  const share = (value: number | null) => (value === null ? '–' : value.toFixed(3));
  const at = (statistic: Parameters<typeof valueOf>[0]) => share(valueOf(statistic, samples));
  const t75 = IOU_THRESHOLDS.indexOf(0.75);
  const classes = detection.classes.map((one) => [one.name || words.unnamed, String(one.truths), String(one.predictions), at(one.at[0].ap), at(one.at[t75].ap), at(one.at[0].precision), at(one.at[0].recall), at(one.at[0].f1)]);
  const thresholds = detection.overall.map((one, t) => [IOU_THRESHOLDS[t].toFixed(2), at(one.ap), at(one.precision), at(one.recall), at(one.f1)]);
  const axis = [...confusion.classes.map((one) => one || words.unnamed)];
  return `<section><h2>${e(name)}</h2>
<h3>${words.byClass}</h3>${table([words.className, words.trueBoxes, words.predictedBoxes, 'AP50', 'AP75', words.precision, words.recall, 'F1'], classes)}
<h3>${words.byThreshold}</h3>${table([words.threshold, 'AP', words.precision, words.recall, 'F1'], thresholds)}
<h3>${words.confusion}</h3><p class="muted">${words.confusionHelp}</p>${table(['', ...axis, words.missed], confusion.counts.map((row, i) => [axis[i] ?? words.nothingThere, ...row.map(String)]))}
</section>`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return `<div class="scroll"><table><thead><tr>${head.map((text) => `<th scope="col">${e(text)}</th>`).join('')}</tr></thead><tbody>${rows.map(([first, ...rest]) => `<tr><th scope="row">${e(first)}</th>${rest.map((text) => `<td>${e(text)}</td>`).join('')}</tr>`).join('\n')}</tbody></table></div>`;
}

function sampleSection({ samples, names, evaluations }: MeasuredSet, at: number, picture: string | undefined, words: EvaluationWords): string {
  const { id, prompt, truth, truthBoxes, answers } = samples[at];
  const sides = answers.map(({ text, boxes }, i) => {
    const { quality, faults } = evaluations[i].samples[at];
    const verdict = [quality === null ? words.noTruth : words.quality(quality.toFixed(3)), ...faults.map((fault) => words.faults[fault])].join(' · ');
    return `<div><h4>${e(names[i])}</h4><p class="muted">${verdict}</p>${picture ? drawing(picture, truthBoxes, boxes) : ''}<pre>${e(text) || words.empty}</pre></div>`;
  });
  return `<section class="sample"><h3>${e(id)}</h3><p class="muted">${e(prompt.slice(0, 400))}</p><div class="sides">${sides.join('')}<div><h4>${words.truth}</h4><pre>${e(truth) || words.noTruth}</pre></div></div></section>`;
}

function drawing(picture: string, truth: readonly LabelledBox[], answer: readonly LabelledBox[]): string {
  const rectangles = (boxes: readonly LabelledBox[], kind: string) => boxes.map(({ box: [x1, y1, x2, y2] }) => `<rect class="${kind}" x="${x1}" y="${y1}" width="${Math.max(0, x2 - x1)}" height="${Math.max(0, y2 - y1)}"/>`).join('');
  return `<figure><img alt="" src="${picture}"><svg viewBox="0 0 1000 1000" preserveAspectRatio="none">${rectangles(truth, 'true')}${rectangles(answer, 'said')}</svg></figure>`;
}
