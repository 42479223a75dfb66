/** The items of a text that a person separated by commas or spaces. */
export function listOf(text: string): string[] {
  return text.split(/[\s,]+/).filter(Boolean);
}
