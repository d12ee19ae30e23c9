/** A button: short presses and long ones, out of a line whose contacts bounce. */

/** Contacts come to rest within some ms; nobody presses for less than this. */
const debounceMs = 30;
/** Nobody does this by mistake. It counts while the button is still held, so that one sees that it has worked. */
export const longMs = 2000;

export interface Presses {
  short(): void;
  long(): void;
}

export class Button {
  #rest: NodeJS.Timeout | undefined;
  #long: NodeJS.Timeout | undefined;
  #isDown: boolean;
  /** This press counts no more: it was a long one, or began before us. */
  #done = true;

  /** `isDown`: one that is held at the start (or stuck) does nothing until it was let go. */
  constructor(
    isDown: boolean,
    private readonly presses: Presses,
  ) {
    this.#isDown = isDown;
  }

  /** At each change of the line, bouncing or not. */
  edge(isDown: boolean): void {
    clearTimeout(this.#rest);
    this.#rest = setTimeout(() => this.#rests(isDown), debounceMs);
  }

  stop(): void {
    clearTimeout(this.#rest);
    clearTimeout(this.#long);
  }

  #rests(isDown: boolean): void {
    if (isDown === this.#isDown) return;
    this.#isDown = isDown;
    clearTimeout(this.#long);
    if (isDown) {
      this.#done = false;
      // It was down for the length of the debouncing already.
      this.#long = setTimeout(() => {
        this.#done = true;
        this.presses.long();
      }, longMs - debounceMs);
    } else if (!this.#done) {
      this.#done = true;
      this.presses.short();
    }
  }
}
