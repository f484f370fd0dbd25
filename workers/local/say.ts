/** Shows one line to the person at the terminal. */
export type Say = (line: string) => void;
