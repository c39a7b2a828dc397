import { parseFast } from "../generator/load/fast-yaml.ts";
import { twentyLinks } from "./drawings.ts";
import type { Goal } from "./goal.ts";
import type { Outcome, Suite } from "./suite.ts";
import { bytesOf, contents, generate, workplace } from "./workplace.ts";

/** How many files differ, or stand on one side only. */
function differences(a: readonly string[], b: readonly string[]): number {
  const [left, right] = [new Set(a), new Set(b)];
  return a.filter((line) => !right.has(line)).length + b.filter((line) => !left.has(line)).length;
}

/** The same drawing in words that the small parser leaves to the complete one. */
function forCompleteParser(text: string): string {
  const folded = text.replace("description: Twenty links", "description: >-\n  Twenty\n  links");
  if (parseFast(folded).ok)
    throw new Error("the small parser reads this too: it proves nothing about the complete one");
  if (!parseFast(text).ok) throw new Error("the small parser does not read the plain drawing");
  return folded;
}

function measure(program: string): Outcome {
  const place = workplace("correctness");
  const treeOf = (...drawings: readonly string[]): readonly string[] => {
    place.remove();
    const again = workplace("correctness");
    for (const text of drawings) {
      again.draw("twenty", text);
      generate(program, again);
    }
    return contents(again.path("out"), bytesOf);
  };
  const plain = twentyLinks();
  const expected = treeOf(plain);
  if (expected.length < 100)
    throw new Error(`only ${expected.length} files were generated: nothing is proved`);
  const goal = (what: string, actual: readonly string[]): Goal => ({
    id: "G6",
    what,
    measured: differences(expected, actual),
    most: 0,
    unit: "differences",
  });
  const seeds = [1, 2, 3];
  if (differences(expected, treeOf(twentyLinks({ without: "valkey-3" }))) === 0)
    throw new Error("another drawing gives the same tree: the comparison sees nothing");
  const goals = [
    goal("fresh, and again", treeOf(plain, plain)),
    goal(
      "fresh, and grown from a drawing without valkey-3",
      treeOf(twentyLinks({ without: "valkey-3" }), plain),
    ),
    goal(
      "fresh, and shrunk from two other drawings",
      treeOf(plain, twentyLinks({ without: "cnpg-1" }), plain),
    ),
    ...seeds.map((seed) => goal(`in order, and shuffled with seed ${seed}`, treeOf(twentyLinks({ seed })))),
    goal("read by the small parser, and by the complete one", treeOf(forCompleteParser(plain))),
  ];
  place.remove();
  return { figures: [], goals, facts: { "files and folders": expected.length } };
}

export const correctnessSuite: Suite = {
  name: "correctness",
  about: "However the output came to be, it is the same bytes.",
  run: measure,
};
