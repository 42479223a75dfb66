/** Up to two initials of a name, U for one that is unknown or blank. */
export function initials(name: string | null): string {
  const words = (name ?? "").trim().split(/\s+/).filter(Boolean);
  const chosen = words.length > 1 ? [words[0], words.at(-1)] : words;
  return chosen.map(firstLetter).join("").toUpperCase() || "U";
}

// By code point: half of a surrogate pair is no letter.
function firstLetter(word = ""): string {
  return Array.from(word)[0] ?? "";
}
