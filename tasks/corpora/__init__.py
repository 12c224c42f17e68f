"""What is trained on, one file each: the name in a search space is the name of the module here.

The corpora of arXiv 2408.10536 (its table of training data, in order of size) and what is public of them without a
loading script. The paper trains on machine translations of most into nine languages; none of these translations is
public, so all but mMARCO are here in the languages they were published in, and serve monolingual batches only.

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

What is said of the hub was read in its listings, cards and scripts; nothing could be downloaded while this was written.
"""
