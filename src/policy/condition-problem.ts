/** What is wrong with an expression, and where in it. */
export class ConditionProblem extends Error {
  constructor(
    readonly problem: string,
    /** Characters before it in the expression. */
    readonly offset: number,
  ) {
    super(problem);
  }
}
