/** Six terms that weigh missed and invented objects; matching is one to one. */
import type { RewardScheme, RewardTerms, RiskSettings } from './contract.ts';
import { isValidFormat } from './gated.ts';
import { type MatchedPair, matchOneToOne, mean, sameCategory } from './matching.ts';
import { readPair } from './read-answer.ts';
import type { RewardAnswer } from './reward-object.ts';

export const RISK_DEFAULTS: RiskSettings = { matchIou: 0.5, hallucinationUnitPenalty: 0.35, noDetectionMissingPenalty: 0.2, omissionPenalty: 1 };
/** Cost of a fault reported where there is none. */
const FALSE_ALARM_PENALTY = 0.5;
const PRECISION_SHARE = 0.4;

const clamp = (value: number, low: number, high: number) => Math.min(Math.max(value, low), high);

export const riskAware: RewardScheme = {
  name: 'risk_aware',
  terms: ['format', 'set_f1', 'localization_quality', 'count_alignment', 'risk_control', 'anomaly_instance_f1'],
  defaultWeights: { format: 0.2, set_f1: 3, localization_quality: 2, count_alignment: 1.2, risk_control: 2.5, anomaly_instance_f1: 2 },
  score(truth, completion, options = {}) {
    const settings = { ...RISK_DEFAULTS, ...options.risk };
    settings.matchIou = clamp(settings.matchIou, 0.1, 0.95);
    const { expected, given } = readPair(truth, completion, options, true);
    const format = Number(isValidFormat(expected, given));
    return { format, ...(expected.objects.length === 0 ? withNothingToFind(given, settings) : withObjects(expected, given, settings)) };
  },
};

function withNothingToFind({ objects, saysNone }: RewardAnswer, { hallucinationUnitPenalty, noDetectionMissingPenalty }: RiskSettings): RewardTerms {
  const invented = Math.min(1, hallucinationUnitPenalty * objects.length);
  const falseAlarms = objects.filter(({ anomalous }) => anomalous).length;
  const silent = objects.length === 0;
  return {
    set_f1: silent ? 1 - (saysNone ? 0 : noDetectionMissingPenalty) : 0,
    localization_quality: Number(silent),
    count_alignment: 0 - invented,
    risk_control: 1 - invented,
    anomaly_instance_f1: 0 - Math.min(1, FALSE_ALARM_PENALTY * falseAlarms),
  };
}

function withObjects(expected: RewardAnswer, given: RewardAnswer, { matchIou, hallucinationUnitPenalty, omissionPenalty }: RiskSettings): RewardTerms {
  const [truths, predictions] = [expected.objects, given.objects];
  const pairs = matchOneToOne(truths, predictions, matchIou);
  const right = pairs.filter((pair) => sameCategory(pair.truth.category, pair.given.category)).length;
  const denies = given.saysNone && predictions.length === 0;
  const missed = (truths.length - pairs.length) / truths.length;
  const invented = Math.min(1, hallucinationUnitPenalty * (predictions.length - pairs.length));
  return {
    set_f1: (2 * right) / (truths.length + predictions.length),
    localization_quality: pairs.length === 0 ? 0 : clamp((mean(pairs.map(({ iou }) => iou)) - matchIou) / (1 - matchIou), 0, 1),
    count_alignment: denies ? -1 : clamp(1 - Math.abs(predictions.length - truths.length) / truths.length, -1, 1),
    risk_control: denies ? -1 : clamp(1 - omissionPenalty * missed - invented, -1, 1),
    anomaly_instance_f1: anomalyTerm(truths.some(({ anomalous }) => anomalous), pairs),
  };
}

/** 0.4 · precision + 0.6 · recall of reported faults, over matched pairs. */
function anomalyTerm(hasFaults: boolean, pairs: readonly MatchedPair[]): number {
  const count = (inTruth: boolean, inGiven: boolean) => pairs.filter(({ truth, given }) => truth.anomalous === inTruth && given.anomalous === inGiven).length;
  const falseAlarms = count(false, true);
  if (!hasFaults) return Math.max(-1, 1 - FALSE_ALARM_PENALTY * falseAlarms);
  if (pairs.length === 0) return -1;
  const found = count(true, true);
  if (found === 0) return 0;
  return (PRECISION_SHARE * found) / (found + falseAlarms) + ((1 - PRECISION_SHARE) * found) / (found + count(true, false));
}
