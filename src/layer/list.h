/* The layers: a row here and a file of the same name. */
LAYER(embed)
LAYER(window)
LAYER(recurrent)
LAYER(dense)
LAYER(dropout)
LAYER(nade)
LAYER(pool)
LAYER(crf)
