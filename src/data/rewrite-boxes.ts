/** Boxes that an answer gives in another unit than the model's -> the same text with the boxes in the model's. */
import { type Conversation, messageText } from '../processing/conversation.ts';
import { type ImageSize, roundHalfToEven } from '../processing/smart-resize.ts';
import { MARKED } from './boxes.ts';

const NUMBER = /-?\d+(?:\.\d+)?/g;

/**
 * Rewrites every box of the assistant's turns; everything else keeps its exact text.
 * @param from size in whose units the boxes are: that of the stored picture, or 1000 × 1000
 * @param to size in whose units they are to be: 1000 × 1000, or that of the picture as the model sees it
 * @param whole makes a whole number of each
 */
export function rewriteBoxes(conversation: Conversation, from: ImageSize, to: ImageSize, whole: (x: number) => number = roundHalfToEven): Conversation {
  const scaled = (x: number, side: keyof ImageSize) => String(whole(from[side] === to[side] ? x : (x / from[side]) * to[side]));
  const rewritten = (text: string) =>
    text.replace(MARKED, (box: string) => {
      // The name of a key may hold a digit of its own.
      const start = box.startsWith('"') ? box.indexOf('[') : 0;
      let at = 0;
      return box.slice(0, start) + box.slice(start).replace(NUMBER, (number) => scaled(Number(number), at++ % 2 === 0 ? 'width' : 'height'));
    });
  return conversation.map((message) => {
    if (message.role !== 'assistant' || messageText(message).search(MARKED) < 0) return message;
    return { ...message, content: message.content.map((part) => (part.type === 'text' ? { type: 'text' as const, text: rewritten(part.text) } : part)) };
  });
}
