import { call } from "./client";
import type { Answers } from "./answers";
import type { paths } from "./schema.gen";

type PostBody<Path> = Path extends { post: { requestBody?: { content: { "application/json": infer Body } } } }
  ? Extract<Body, { action: string }>
  : never;

type Bodies = {
  [P in keyof paths as P extends `/api/${infer Topic}` ? ([PostBody<paths[P]>] extends [never] ? never : Topic) : never]: PostBody<paths[P]>;
};

/** The action endpoints, their actions and what each takes, as the control plane's own document declares them. */
export type Topic = keyof Bodies;
export type ActionOf<T extends Topic> = Bodies[T]["action"];
export type ValuesOf<T extends Topic, A extends ActionOf<T>> = Omit<Extract<Bodies[T], { action: A }>, "action">;
export type AnswerOf<T extends Topic, A extends ActionOf<T>> = `${T}.${A}` extends keyof Answers ? Answers[`${T}.${A}`] : unknown;

/** One action of an action endpoint: `POST /api/<topic> {action, …}`. */
export function act<T extends Topic, A extends ActionOf<T>>(
  topic: T,
  action: A,
  values: ValuesOf<T, A>,
  signal?: AbortSignal,
): Promise<AnswerOf<T, A>> {
  return call(`/api/${topic}`, { method: "POST", body: { action, ...values }, signal });
}
