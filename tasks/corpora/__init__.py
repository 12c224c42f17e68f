"""Training corpora, one module each: the name in a search space is the name of the module.

The corpora of arXiv 2408.10536 (its table of training data, in order of size), as far as they are public without a
loading script. The paper trains on machine translations of most of them into nine languages. None of these translations
is public, so that all corpora but mMARCO are available in their original languages and serve monolingual batches only.

corpus           here                what is public
WikiQA           wiki_qa             English
Mr. TyDi         mr_tydi             eleven languages, each asked in its own; the paper uses English
DuoRC            through `dataset`   English, `ibm-research/duorc`: `{en: {query: question, passage: plot}}`
NewsQA           newsqa              English, as MRQA prepared it; the original is put together by hand
Google NQ        natural_questions   English
Yahoo QA         yahoo_qa            English
EntityQuestions  not                 questions and answers only, in an archive outside the hub: no copy with passages
MFAQ             mfaq                21 languages, not parallel; the paper uses English
mMARCO           mmarco              parallel, 14 languages: seven of the paper's nine (no Thai, no Turkish)

Data of your own: `dataset`, `parallel_jsonl` (docs/your_training_data.md); `lareqa` trains on XQuAD-R or MLQA-R.

Statements about the hub come from its listings, cards and scripts; nothing could be downloaded when this was written.
"""
