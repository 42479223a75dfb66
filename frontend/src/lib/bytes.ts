const UNITS = ["B", "KB", "MB", "GB", "TB"] as const;

/** A number of bytes in the largest unit that keeps it at 1 or more: 1,536 is "1.5 KB". */
export function bytes(count: number): string {
  const step = count < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log(count) / Math.log(1024)));
  const scaled = count / 1024 ** step;
  return `${step === 0 ? scaled : scaled.toFixed(1)} ${UNITS[step]}`;
}
