"""Write docs/rules.md from the rulebook: python docs/make_rules.py"""

from pathlib import Path

from hieratk.taxonomy.rulebook import markdown, rules

if __name__ == "__main__":
    Path(__file__).with_name("rules.md").write_text(markdown(rules().values()), encoding="utf-8", newline="\n")
