/** Finds the name that was probably meant. */

/** Edits of one character (insert, delete, replace, swap of neighbours) between two words; Infinity if above `most`. */
export function distance(a: string, b: string, most = Infinity): number {
  // Three rows of the Damerau-Levenshtein table (optimal string alignment) are all that it looks back to.
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = at(last, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let best = Math.min(at(last, j) + 1, at(row, j - 1) + 1, replace);
      if (a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, at(before, j - 2) + 1);
      row.push(best);
    }
    // Two neighbouring rows decide about all that follow.
    if (Math.min(...row) > most && Math.min(...last) > most) return Infinity;
    before = last;
    last = row;
  }
  const edits = at(last, b.length);
  return edits > most ? Infinity : edits;
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Infinity;
}

/** The nearest of `names` within two edits, case and `_`, `-` aside; undefined if none is that near. */
export function nearest(word: string, names: Iterable<string>): string | undefined {
  const plain = bare(word);
  let found: string | undefined;
  let fewest = 3;
  for (const name of names) {
    const other = bare(name);
    // Two edits turn any short word into any other: a word must share more than half of its letters.
    if (Math.abs(plain.length - other.length) >= fewest || other.length > 64) continue;
    const edits = distance(plain, other, fewest - 1);
    if (edits < fewest && edits * 2 < other.length) {
      found = name;
      fewest = edits;
    }
  }
  return found;
}

function bare(word: string): string {
  return word.toLowerCase().replace(/[_-]/g, '');
}
