/** Boxes that an answer gives in pixels of the stored picture -> the same text with the boxes in the model's unit. */
import { type Conversation, messageText } from '../processing/conversation.ts';
import { type ImageSize, roundHalfToEven } from '../processing/smart-resize.ts';
import { MARKED } from './boxes.ts';

const NUMBER = /-?\d+(?:\.\d+)?/g;

/**
 * Rewrites every box of the assistant's turns; everything else keeps its exact text.
 * @param from size of the picture whose pixels the boxes count
 * @param to size in whose units they are to be: 1000 × 1000, or that of the picture as the model sees it
 */
export function rewriteBoxes(conversation: Conversation, from: ImageSize, to: ImageSize): Conversation {
  const rewritten = (text: string) =>
    text.replace(MARKED, (whole: string) => {
      // The name of a key may hold a digit of its own.
      const start = whole.startsWith('"') ? whole.indexOf('[') : 0;
      let at = 0;
      return whole.slice(0, start) + whole.slice(start).replace(NUMBER, (number) => String(at++ % 2 === 0 ? roundHalfToEven((Number(number) / from.width) * to.width) : roundHalfToEven((Number(number) / from.height) * to.height)));
    });
  return conversation.map((message) => {
    if (message.role !== 'assistant' || messageText(message).search(MARKED) < 0) return message;
    return { ...message, content: message.content.map((part) => (part.type === 'text' ? { type: 'text' as const, text: rewritten(part.text) } : part)) };
  });
}
