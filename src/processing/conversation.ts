/** The one message format inside the app; every dataset format is translated into it. */

export type Role = 'system' | 'user' | 'assistant';

/** Part of a message; `index` counts the sample's pictures and clips together from 0 in the order of appearance. */
export type ContentPart = { type: 'text'; text: string } | { type: 'image' | 'video'; index: number };

export interface Message {
  role: Role;
  /** Thoughts before an answer, where the dataset keeps them apart from it. */
  reasoning?: string;
  content: ContentPart[];
  /** False for an answer that the dataset says is not to be learnt. */
  learnt?: false;
}

export type Conversation = Message[];

/** Text of a message without its pictures and clips. */
export function messageText(message: Message): string {
  return message.content.map((part) => (part.type === 'text' ? part.text : '')).join('');
}

/** Indices of pictures and clips in the order in which the chat template will place them. */
export function mediaOrder(conversation: Conversation): number[] {
  return conversation.flatMap((message) => message.content.flatMap((part) => (part.type === 'text' ? [] : [part.index])));
}

/** Everything before the answer at the end: what the model sees when it has to answer. */
export function promptOf(conversation: Conversation): Conversation {
  return conversation.at(-1)?.role === 'assistant' ? conversation.slice(0, -1) : conversation;
}

/** Text of the answer at the end, '' where a question is the last turn. */
export function answerOf(conversation: Conversation): string {
  const last = conversation.at(-1);
  return last?.role === 'assistant' ? messageText(last) : '';
}
