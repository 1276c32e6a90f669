/** Names that all families share: published prefixes, and the older and in-memory ones that mean the same tensors. */

/** The language model. */
export const TEXT = 'model.language_model';
/** The vision tower. */
export const VISION = 'model.visual';

/** Prefixes under which older or partial exports keep the same tensors, longest first. */
const OLD_PREFIXES: readonly (readonly [RegExp, string])[] = [
  [/^(?:model\.)?language_model\.lm_head(?=\.|$)/, 'lm_head'],
  [/^language_model\.model\./, `${TEXT}.`],
  [/^language_model\./, `${TEXT}.`],
  [/^model\.(?=(?:layers|embed_tokens|norm)(?:\.|$))/, `${TEXT}.`],
  [/^visual\./, `${VISION}.`],
];

/** The in-memory spelling of a tensor or module name, which transformers and PEFT use; unknown names come back unchanged. */
export function canonicalName(name: string): string {
  for (const [pattern, replacement] of OLD_PREFIXES) {
    if (pattern.test(name)) return name.replace(pattern, replacement);
  }
  return name;
}
