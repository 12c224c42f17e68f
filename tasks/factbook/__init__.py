"""The built-in parallel question-answer data: facts, their CLDR names in eleven languages, sentence templates, splits.

Every fact relates an entity to its answer by CLDR codes (the capital of `JP` is `Asia/Tokyo`); names come from the
Unicode CLDR through `babel`, sentences from `templates/<language>.yaml`. Names always stand in the form in which
dictionaries list them, in apposition to a noun that takes the inflection or after a colon, so no case, gender or
article can come out wrong.
"""
